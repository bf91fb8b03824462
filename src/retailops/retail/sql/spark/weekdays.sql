SELECT
  row,
  'weekday_of_date' AS reason
FROM typed
WHERE
  DATEDIFF(DAY, CAST('1899-12-31' AS DATE), SHOP_DATE) % 7 + 1 <> SHOP_WEEKDAY
