"""As S3 and EC2 remember: that a bucket tells EventBridge, what a launch template tags, and its own tags."""

from __future__ import annotations

from moto.core import DEFAULT_ACCOUNT_ID
from moto.ec2.models import ec2_backends
from moto.s3.models import s3_backends

from emulator.server import Hook, Request, Response


def notification(request: Request) -> Response | None:
    """moto takes the wish to tell EventBridge and doesn't tell of it."""
    asked = request.service == "s3" and request.method == "GET" and request.query.startswith("notification")
    bucket = s3_backends[DEFAULT_ACCOUNT_ID]["aws"].buckets.get(request.path.strip("/")) if asked else None
    told = bucket.notification_configuration if bucket is not None else None
    if told is None or told.event_bridge is None or told.topic or told.queue or told.cloud_function:
        return None
    space = "http://s3.amazonaws.com/doc/2006-03-01/"
    body = f'<NotificationConfiguration xmlns="{space}"><EventBridgeConfiguration/></NotificationConfiguration>'
    return Response(body.encode(), 200, {"Content-Type": "application/xml"})


def launch_template(request: Request) -> Response | None:
    """moto counts the template's own tags among those that its instances get."""
    if request.service == "ec2" and request.form.get("Action") == "DescribeLaunchTemplateVersions":
        for template in ec2_backends[DEFAULT_ACCOUNT_ID][request.region].launch_templates.values():
            for version in template.versions:
                given = version.data.get("TagSpecifications", [])
                version.data["TagSpecifications"] = [e for e in given if e.get("ResourceType") != "launch-template"]
    return None


def launch_template_tags(request: Request) -> Response | None:
    """moto tells the tags that a launch template was made with, whatever became of them."""
    if request.service == "ec2" and request.form.get("Action") == "DescribeLaunchTemplates":
        for template in ec2_backends[DEFAULT_ACCOUNT_ID][request.region].launch_templates.values():
            template.tags = template.get_tags()
    return None


HOOKS: list[Hook] = [notification, launch_template, launch_template_tags]
