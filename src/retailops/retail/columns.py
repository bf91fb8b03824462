"""The names and codes of the dunnhumby transaction file; the only room that spells them."""

from __future__ import annotations

# Canonical input columns, in the order of the published file.
COLUMNS = (
    "SHOP_WEEK",
    "SHOP_DATE",
    "SHOP_WEEKDAY",
    "SHOP_HOUR",
    "QUANTITY",
    "SPEND",
    "PROD_CODE",
    "PROD_CODE_10",
    "PROD_CODE_20",
    "PROD_CODE_30",
    "PROD_CODE_40",
    "CUST_CODE",
    "CUST_PRICE_SENSITIVITY",
    "CUST_LIFESTAGE",
    "BASKET_ID",
    "BASKET_SIZE",
    "BASKET_PRICE_SENSITIVITY",
    "BASKET_TYPE",
    "BASKET_DOMINANT_MISSION",
    "STORE_CODE",
    "STORE_FORMAT",
    "STORE_REGION",
)

LABEL = "BASKET_PRICE_SENSITIVITY"

# Other spellings of a header, matched after upper-casing and stripping. SFNND and BASKET_TYFN come from a
# search-and-replace accident ("PE" became "FN") in one published release.
ALIASES = {
    "SEG_1": "CUST_PRICE_SENSITIVITY",
    "SEG_2": "CUST_LIFESTAGE",
    "SFNND": "SPEND",
    "BASKET_TYFN": "BASKET_TYPE",
    "PRODUCT_CODE": "PROD_CODE",
    "PRODUCT_CODE10": "PROD_CODE_10",
    "PRODUCT_CODE20": "PROD_CODE_20",
    "PRODUCT_CODE30": "PROD_CODE_30",
    "PRODUCT_CODE40": "PROD_CODE_40",
    "PRODUCT_CODE_10": "PROD_CODE_10",
    "PRODUCT_CODE_20": "PROD_CODE_20",
    "PRODUCT_CODE_30": "PROD_CODE_30",
    "PRODUCT_CODE_40": "PROD_CODE_40",
    "PROD_CODE10": "PROD_CODE_10",
    "PROD_CODE20": "PROD_CODE_20",
    "PROD_CODE30": "PROD_CODE_30",
    "PROD_CODE40": "PROD_CODE_40",
    "CUSTOMER_CODE": "CUST_CODE",
}

# Ordered from the most price-sensitive shopper to the least; everything indexed by class uses this order.
LABELS = ("LA", "MM", "UM")
UNCLASSIFIED = "XX"  # kept and counted, never trained on
WORDS = {"LA": "High", "MM": "Medium", "UM": "Low"}
# Price tier of a class, for the pricing error: how far a price set for the wrong class would be off.
TIERS = {"LA": 1, "MM": 0, "UM": -1}

# Coded and spelled-out values decode to one form.
VALUE_ALIASES: dict[str, dict[str, str]] = {
    LABEL: {"HIGH": "LA", "MEDIUM": "MM", "LOW": "UM"},
    "CUST_PRICE_SENSITIVITY": {"AZ": "LA", "BG": "UM", "CT": "MM", "DY": "XX"},
    "CUST_LIFESTAGE": {"AT": "YA", "BU": "OT", "CZ": "OA", "DI": "YF", "EQ": "OF", "FN": "PE"},
    "BASKET_DOMINANT_MISSION": {"NON FOOD": "Nonfood", "NONFOOD": "Nonfood"},
}

# May never be a feature: identifiers that let a model remember baskets, stores or days instead of learning.
FORBIDDEN_FEATURES = frozenset({"BASKET_ID", "STORE_CODE", "SHOP_DATE", "SHOP_WEEK", "CUST_CODE", LABEL})
