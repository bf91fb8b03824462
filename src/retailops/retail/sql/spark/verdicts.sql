WITH shapes AS (
  SELECT DISTINCT
    BASKET_ID,
    SHOP_WEEK,
    SHOP_DATE,
    SHOP_HOUR,
    CUST_CODE,
    CUST_PRICE_SENSITIVITY,
    CUST_LIFESTAGE,
    BASKET_SIZE,
    BASKET_PRICE_SENSITIVITY,
    BASKET_TYPE,
    BASKET_DOMINANT_MISSION,
    STORE_CODE,
    STORE_FORMAT,
    STORE_REGION
  FROM typed
), several_weeks AS (
  SELECT
    BASKET_ID,
    MIN(SHOP_WEEK) AS first_week
  FROM shapes
  GROUP BY
    BASKET_ID
  HAVING
    MIN(SHOP_WEEK) < MAX(SHOP_WEEK)
), several_shapes AS (
  SELECT
    BASKET_ID,
    SHOP_WEEK
  FROM shapes
  GROUP BY
    BASKET_ID,
    SHOP_WEEK
  HAVING
    COUNT(*) > 1
), repeated AS (
  SELECT
    BASKET_ID,
    SHOP_WEEK,
    PROD_CODE
  FROM typed
  GROUP BY
    BASKET_ID,
    SHOP_WEEK,
    PROD_CODE
  HAVING
    COUNT(*) > 1
), suspects AS (
  SELECT
    *
  FROM typed
  WHERE
    BASKET_ID IN (
      SELECT
        BASKET_ID
      FROM several_weeks
      UNION ALL
      SELECT
        BASKET_ID
      FROM several_shapes
      UNION ALL
      SELECT
        BASKET_ID
      FROM repeated
      UNION ALL
      SELECT
        BASKET_ID
      FROM earlier
    )
), lines AS (
  SELECT
    BASKET_ID,
    SHOP_WEEK,
    PROD_CODE,
    MIN(row) AS first_row,
    MIN(QUANTITY) = MAX(QUANTITY)
    AND MIN(SPEND_PENCE) = MAX(SPEND_PENCE)
    AND MIN(PROD_CODE_10) = MAX(PROD_CODE_10)
    AND MIN(PROD_CODE_20) = MAX(PROD_CODE_20)
    AND MIN(PROD_CODE_30) = MAX(PROD_CODE_30)
    AND MIN(PROD_CODE_40) = MAX(PROD_CODE_40) AS agree
  FROM suspects
  GROUP BY
    BASKET_ID,
    SHOP_WEEK,
    PROD_CODE
), judged AS (
  SELECT
    suspects.row,
    CASE
      WHEN NOT earlier.BASKET_ID IS NULL
      THEN 'basket_in_two_weeks'
      WHEN several_weeks.first_week < suspects.SHOP_WEEK
      THEN 'basket_in_two_weeks'
      WHEN NOT several_shapes.BASKET_ID IS NULL
      THEN 'basket_contradicts_itself'
      WHEN NOT lines.agree
      THEN 'line_contradicts_itself'
      WHEN lines.first_row < suspects.row
      THEN 'duplicate'
    END AS reason
  FROM suspects
  INNER JOIN lines
    ON suspects.BASKET_ID = lines.BASKET_ID
    AND suspects.SHOP_WEEK = lines.SHOP_WEEK
    AND suspects.PROD_CODE = lines.PROD_CODE
  LEFT JOIN several_weeks
    ON suspects.BASKET_ID = several_weeks.BASKET_ID
  LEFT JOIN several_shapes
    ON suspects.BASKET_ID = several_shapes.BASKET_ID
    AND suspects.SHOP_WEEK = several_shapes.SHOP_WEEK
  LEFT JOIN earlier
    ON suspects.BASKET_ID = earlier.BASKET_ID
)
SELECT
  row,
  reason
FROM judged
WHERE
  NOT reason IS NULL
