-- The feature group customer: one record a customer and day with a basket, of everything up to and including that day.
-- gold: one row a basket. silver: one row a line, of which only what gold doesn't have is read.
WITH days AS (
    SELECT cust_code, shop_date, count(*) AS baskets, sum(spend_pence) AS spend_pence
    FROM gold
    WHERE cust_code IS NOT NULL
    GROUP BY cust_code, shop_date
),
lifestages AS (
    SELECT CUST_CODE AS cust_code, SHOP_DATE AS shop_date, max(CUST_LIFESTAGE) AS lifestage
    FROM silver
    WHERE CUST_LIFESTAGE IS NOT NULL AND CUST_CODE IS NOT NULL
    GROUP BY CUST_CODE, SHOP_DATE
)
SELECT
    days.cust_code,
    CAST(days.shop_date AS TIMESTAMP) + INTERVAL '86399' SECOND AS event_time,
    CAST(sum(days.baskets) OVER history AS BIGINT) AS baskets,
    last_value(lifestages.lifestage IGNORE NULLS) OVER history AS lifestage,
    CAST(sum(days.spend_pence) OVER history AS BIGINT) AS spend_pence
FROM days
LEFT JOIN lifestages ON days.cust_code = lifestages.cust_code AND days.shop_date = lifestages.shop_date
WINDOW history AS (
    PARTITION BY days.cust_code ORDER BY days.shop_date ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
)
ORDER BY event_time, cust_code
