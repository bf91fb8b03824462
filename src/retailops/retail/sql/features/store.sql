-- The feature group store: one record a store on its first day, and on each day on which its format or region changed.
-- gold: one row a basket.
WITH days AS (
    SELECT store_code, shop_date, max(store_format) AS store_format, max(store_region) AS store_region
    FROM gold
    WHERE store_code IS NOT NULL
    GROUP BY store_code, shop_date
),
compared AS (
    SELECT
        store_code, shop_date, store_format, store_region,
        lag(store_format) OVER (PARTITION BY store_code ORDER BY shop_date) AS format_before,
        lag(store_region) OVER (PARTITION BY store_code ORDER BY shop_date) AS region_before
    FROM days
)
SELECT
    store_code,
    CAST(shop_date AS TIMESTAMP) + INTERVAL '86399' SECOND AS event_time,
    store_format,
    store_region
FROM compared
WHERE store_format IS DISTINCT FROM format_before OR store_region IS DISTINCT FROM region_before
ORDER BY event_time, store_code
