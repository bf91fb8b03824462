# Two keys, a dollar a month each. `data` opens the lake, models and features: who may use it may read customers'
# baskets. `platform` is for what runs: cluster secrets, images, logs, the audit trail, alarms. A key per service
# would cost five dollars more and part nothing else: whoever may use one of those may use them all.

locals {
  key_services = {
    data = []
    platform = [
      { # log groups of this project alone
        service   = "logs.${var.region}.amazonaws.com"
        actions   = ["kms:Encrypt", "kms:Decrypt", "kms:ReEncryptFrom", "kms:ReEncryptTo", "kms:GenerateDataKey", "kms:DescribeKey"]
        operator  = "ArnLike"
        condition = "kms:EncryptionContext:aws:logs:arn"
        values    = [for name in ["${local.prefix}/*", "/aws/eks/${local.prefix}/*", "/aws/sagemaker/Endpoints/${local.prefix}-api", "/aws-glue/*"] : "${local.log_arn}:${name}"]
      },
      {
        service   = "cloudtrail.amazonaws.com"
        actions   = ["kms:GenerateDataKey", "kms:Decrypt", "kms:DescribeKey"]
        operator  = "StringEquals"
        condition = "aws:SourceArn"
        values    = [local.trail_arn]
      },
      { # alarms and the budget write to the encrypted topic
        service   = ["cloudwatch.amazonaws.com", "budgets.amazonaws.com"]
        actions   = ["kms:GenerateDataKey", "kms:Decrypt"]
        operator  = "StringEquals"
        condition = "aws:SourceAccount"
        values    = [local.account]
      },
      { # rules too; EventBridge doesn't say on whose behalf, and with such a condition its messages are lost in silence
        service   = "events.amazonaws.com"
        actions   = ["kms:GenerateDataKey", "kms:Decrypt"]
        operator  = "StringEquals"
        condition = "kms:EncryptionContext:aws:sns:topicArn"
        values    = [local.topic_arn]
      },
    ]
  }

  log_arn   = "arn:${local.partition}:logs:${var.region}:${local.account}:log-group"
  topic_arn = "arn:${local.partition}:sns:${var.region}:${local.account}:${local.topic}"
  trail_arn = "arn:${local.partition}:cloudtrail:${var.region}:${local.account}:trail/${local.prefix}"
}

resource "aws_kms_key" "main" {
  for_each = local.key_services

  description             = "${local.prefix}: ${each.key}"
  enable_key_rotation     = true
  deletion_window_in_days = 7 # the least there is: teardown means gone

  tags = { Name = "${local.prefix}-${each.key}" }
}

resource "aws_kms_alias" "main" {
  for_each = local.key_services

  name          = "alias/${local.prefix}-${each.key}"
  target_key_id = aws_kms_key.main[each.key].key_id
}

# Apart from the key, so that it can name the key instead of "*".
resource "aws_kms_key_policy" "main" {
  for_each = local.key_services

  key_id = aws_kms_key.main[each.key].key_id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [{
        Sid       = "AccountDecidesByItsIamPolicies"
        Effect    = "Allow"
        Principal = { AWS = "arn:${local.partition}:iam::${local.account}:root" }
        Action    = "kms:*"
        Resource  = aws_kms_key.main[each.key].arn
      }],
      [for grant in each.value : {
        Effect    = "Allow"
        Principal = { Service = grant.service }
        Action    = grant.actions
        Resource  = aws_kms_key.main[each.key].arn
        Condition = { (grant.operator) = { (grant.condition) = grant.values } }
      }],
    )
  })
}
