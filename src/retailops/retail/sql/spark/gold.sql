SELECT
  BASKET_ID AS basket_id,
  MIN(SHOP_WEEK) AS shop_week,
  MIN(SHOP_DATE) AS shop_date,
  MIN(CUST_CODE) AS cust_code,
  MIN(STORE_CODE) AS store_code,
  MIN(BASKET_PRICE_SENSITIVITY) AS label,
  COUNT(*) AS lines,
  CAST(SUM(QUANTITY) AS BIGINT) AS quantity,
  MIN(SHOP_WEEKDAY) AS shop_weekday,
  MIN(SHOP_HOUR) AS shop_hour,
  MIN(BASKET_SIZE) AS basket_size,
  MIN(BASKET_TYPE) AS basket_type,
  MIN(BASKET_DOMINANT_MISSION) AS basket_mission,
  CAST(SUM(SPEND_PENCE) AS BIGINT) AS spend_pence,
  MAX(SPEND_PENCE) AS dearest_line_pence,
  MAX(SPEND_PENCE / QUANTITY) AS dearest_unit_pence,
  SUM(SPEND_PENCE) / SUM(QUANTITY) AS mean_unit_pence,
  SUM(SPEND_PENCE) / COUNT(*) AS mean_line_pence,
  MIN(STORE_REGION) AS store_region,
  MIN(STORE_FORMAT) AS store_format,
  COUNT(DISTINCT PROD_CODE_20) AS departments,
  COUNT(DISTINCT PROD_CODE_10) AS categories,
  MAX_BY(PROD_CODE_20, (SPEND_PENCE, PROD_CODE)) AS dearest_department,
  MAX_BY(PROD_CODE_30, (SPEND_PENCE, PROD_CODE)) AS dearest_group
FROM silver
GROUP BY
  BASKET_ID
ORDER BY
  shop_week NULLS LAST,
  basket_id NULLS LAST
