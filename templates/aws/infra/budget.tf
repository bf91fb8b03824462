# Told before it hurts: at half, four fifths and six fifths of the budget, and when the forecast passes it.

resource "aws_budgets_budget" "monthly" {
  name         = "${local.prefix}-monthly"
  budget_type  = "COST"
  time_unit    = "MONTHLY"
  limit_unit   = "USD"
  limit_amount = tostring(var.monthly_budget_usd)

  # By tag only once Billing knows the tags; before that such a budget would read zero and never warn.
  dynamic "cost_filter" {
    for_each = var.budget_by_tag ? [format("user:retailops:project$%s", var.project)] : []

    content {
      name   = "TagKeyValue"
      values = [cost_filter.value]
    }
  }

  dynamic "notification" {
    for_each = { "50" = "ACTUAL", "80" = "ACTUAL", "120" = "ACTUAL", "100" = "FORECASTED" }

    content {
      threshold                 = tonumber(notification.key)
      threshold_type            = "PERCENTAGE"
      comparison_operator       = "GREATER_THAN"
      notification_type         = notification.value
      subscriber_sns_topic_arns = [aws_sns_topic.alarms.arn]
    }
  }

  depends_on = [aws_sns_topic_policy.alarms, aws_kms_key_policy.main]
}
