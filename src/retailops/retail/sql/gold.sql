-- One row a basket. silver: the rows that entered the silver zone, of whole weeks. The aggregates are the feature table.
SELECT
    BASKET_ID AS basket_id,
    min(SHOP_WEEK) AS shop_week,
    min(SHOP_DATE) AS shop_date,
    min(CUST_CODE) AS cust_code,
    min(STORE_CODE) AS store_code,
    min(BASKET_PRICE_SENSITIVITY) AS label,
    {features}
FROM silver
GROUP BY BASKET_ID
ORDER BY shop_week, basket_id
