# Logs, figures and alarms. The API reports its own figures; EKS, Glue and NAT report theirs.

locals {
  topic = "${local.prefix}-alarms"

  log_groups = {
    cluster = "/aws/eks/${local.prefix}/cluster" # EKS writes there and nowhere else
    api     = "${local.prefix}/api"
    etl     = "${local.prefix}/etl"
  }
}

resource "aws_cloudwatch_log_group" "main" {
  #checkov:skip=CKV_AWS_338:How long logs are kept is the project's choice (log_days); the audit trail is kept a year in its bucket

  for_each = local.log_groups

  name              = each.value
  retention_in_days = var.log_days
  kms_key_id        = aws_kms_key.main["platform"].arn

  depends_on = [aws_kms_key_policy.main]
}

resource "aws_sns_topic" "alarms" {
  name              = local.topic
  display_name      = "retailops ${local.prefix}"
  kms_master_key_id = aws_kms_key.main["platform"].arn
}

resource "aws_sns_topic_policy" "alarms" {
  arn = aws_sns_topic.alarms.arn
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "OwnAccount"
        Effect    = "Allow"
        Principal = { Service = ["cloudwatch.amazonaws.com", "budgets.amazonaws.com"] }
        Action    = "sns:Publish"
        Resource  = aws_sns_topic.alarms.arn
        Condition = { StringEquals = { "aws:SourceAccount" = local.account } }
      },
      { # EventBridge can't meet a condition here
        Sid       = "Rules"
        Effect    = "Allow"
        Principal = { Service = "events.amazonaws.com" }
        Action    = "sns:Publish"
        Resource  = aws_sns_topic.alarms.arn
      },
      {
        Sid       = "TlsOnly"
        Effect    = "Deny"
        Principal = "*"
        Action    = "sns:Publish"
        Resource  = aws_sns_topic.alarms.arn
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      },
    ]
  })
}

resource "aws_sns_topic_subscription" "email" {
  count = var.alarm_email == "" ? 0 : 1

  topic_arn = aws_sns_topic.alarms.arn
  protocol  = "email"
  endpoint  = var.alarm_email
}

resource "aws_cloudwatch_metric_alarm" "errors" {
  alarm_name          = "${local.prefix}-api-errors"
  alarm_description   = "More than ${var.max_error_rate * 100} % of requests end in a server error"
  comparison_operator = "GreaterThanThreshold"
  threshold           = var.max_error_rate
  evaluation_periods  = 5
  datapoints_to_alarm = 3
  treat_missing_data  = "notBreaching" # nobody asks, nobody is failed
  actions_enabled     = !var.parked
  alarm_actions       = [aws_sns_topic.alarms.arn]
  ok_actions          = [aws_sns_topic.alarms.arn]

  metric_query {
    id          = "rate"
    label       = "Share of requests that fail"
    expression  = "errors / requests"
    return_data = true
  }

  dynamic "metric_query" {
    for_each = { requests = "Requests", errors = "Errors" }

    content {
      id = metric_query.key

      metric {
        namespace   = local.namespace
        metric_name = metric_query.value
        stat        = "Sum"
        period      = 60
      }
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "slow" {
  alarm_name          = "${local.prefix}-api-slow"
  alarm_description   = "The 95th percentile of predictions takes more than ${var.max_p95_ms} ms"
  namespace           = local.namespace
  metric_name         = "Latency"
  extended_statistic  = "p95"
  unit                = "Milliseconds"
  period              = 60
  comparison_operator = "GreaterThanThreshold"
  threshold           = var.max_p95_ms
  evaluation_periods  = 5
  datapoints_to_alarm = 3
  treat_missing_data  = "notBreaching"
  actions_enabled     = !var.parked
  alarm_actions       = [aws_sns_topic.alarms.arn]
  ok_actions          = [aws_sns_topic.alarms.arn]
}

# EKS reports this by itself: pods that no node has room for, because nodes are gone or the limit is reached.
resource "aws_cloudwatch_metric_alarm" "unplaced" {
  alarm_name          = "${local.prefix}-pods-without-node"
  alarm_description   = "Pods have waited a quarter of an hour for a node"
  namespace           = "AWS/EKS"
  metric_name         = "scheduler_pending_pods_UNSCHEDULABLE"
  dimensions          = { ClusterName = aws_eks_cluster.main.name }
  statistic           = "Minimum"
  period              = 300
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  evaluation_periods  = 3
  treat_missing_data  = "notBreaching"
  actions_enabled     = !var.parked
  alarm_actions       = [aws_sns_topic.alarms.arn]
  ok_actions          = [aws_sns_topic.alarms.arn]
}

resource "aws_cloudwatch_dashboard" "main" {
  dashboard_name = local.prefix
  dashboard_body = jsonencode({
    widgets = [for index, widget in local.widgets : {
      type   = "metric"
      x      = index % 2 * 12
      y      = floor(index / 2) * 6
      width  = 12
      height = 6
      properties = {
        title   = widget.title
        region  = var.region
        view    = "timeSeries"
        stat    = widget.stat
        period  = 60
        metrics = widget.metrics
      }
    }]
  })
}

locals {
  widgets = [
    { title = "Requests and errors", stat = "Sum", metrics = [[local.namespace, "Requests"], [local.namespace, "Errors"]] },
    {
      title   = "Latency in ms: median, 95th, 99th percentile"
      stat    = "p95"
      metrics = [for stat in ["p50", "p95", "p99"] : [local.namespace, "Latency", { stat = stat, label = stat }]]
    },
    {
      title   = "Predictions by class"
      stat    = "Sum"
      metrics = [for label in ["LA", "MM", "UM"] : [local.namespace, "Predictions", "Class", label]]
    },
    { title = "Pods that wait for a node", stat = "Maximum", metrics = [["AWS/EKS", "scheduler_pending_pods_UNSCHEDULABLE", "ClusterName", local.prefix]] },
    {
      title = "Bytes through NAT"
      stat  = "Sum"
      metrics = flatten([for gateway in values(aws_nat_gateway.main) : [
        for name in ["BytesOutToDestination", "BytesInFromDestination"] : [["AWS/NATGateway", name, "NatGatewayId", gateway.id]]
      ]], )
    },
    { title = "Bytes scanned by queries", stat = "Sum", metrics = [["AWS/Athena", "ProcessedBytes", "WorkGroup", local.prefix]] },
  ]
}
