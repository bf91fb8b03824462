"""Whose account it is, and what AWS's anger sounds like in our words."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from emulator import Emulator, Response
from retailops.config import Config
from retailops.errors import ConfigError, TargetFailed
from retailops.targets.aws.session import Session, translated


def test_the_account_is_asked_and_names_follow_from_it(session: Session, aws: Emulator) -> None:
    assert session.account == aws.account
    assert session.names.bucket("raw") == f"retail-demo-dev-raw-{aws.account}"
    assert session.emulated


def test_credentials_of_another_account_are_refused(aws: Emulator, configured: Callable[[str], Config]) -> None:
    with pytest.raises(ConfigError, match=f"belong to account {aws.account}.*999999999999"):
        _ = Session(configured('aws: {account: "999999999999"}')).account


@pytest.mark.parametrize(
    ("code", "fix"),
    [("ExpiredToken", "log in anew"), ("AccessDenied", "retailops doctor"), ("InvalidClientTokenId", "AWS_PROFILE")],
)
def test_an_answer_of_aws_says_what_to_do(session: Session, aws: Emulator, code: str, fix: str) -> None:
    body = f"<ErrorResponse><Error><Code>{code}</Code><Message>no</Message></Error></ErrorResponse>".encode()
    aws.answer(lambda request: Response(body, 403, {"Content-Type": "text/xml"}))
    with pytest.raises(TargetFailed) as refused:
        _ = session.account
    assert code in refused.value.what
    assert fix in refused.value.fix


def test_no_credentials_is_told_with_the_way_to_get_some(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name)
    with pytest.raises(TargetFailed, match="Unable to locate credentials") as refused:
        _ = session.account
    assert "aws sso login" in refused.value.fix


def test_errors_of_our_own_pass_untouched() -> None:
    with pytest.raises(ConfigError), translated("Trying"):
        raise ConfigError("ours")
