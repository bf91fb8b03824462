-- Rows whose weekday isn't that of their date: (row, reason). 1899-12-31 was a Sunday, so the remainder of the days since
-- then is the weekday on every engine.
SELECT row, 'weekday_of_date' AS reason
FROM typed
WHERE date_diff('day', DATE '1899-12-31', SHOP_DATE) % 7 + 1 <> SHOP_WEEKDAY
