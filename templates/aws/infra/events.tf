# What happens by itself: new raw data starts the ETL, and a failure is told.

locals {
  incoming_folder = "incoming/" # in raw; `retailops etl` uploads beside it and starts its own run

  failures = {
    training-failed = {
      pattern = {
        source      = ["aws.sagemaker"]
        detail-type = ["SageMaker Training Job State Change"]
        detail      = { TrainingJobStatus = ["Failed"], TrainingJobName = [{ prefix = "${local.prefix}-" }] }
      }
      paths   = { name = "$.detail.TrainingJobName", reason = "$.detail.FailureReason" }
      message = "Training <name> failed: <reason>"
    }
    etl-failed = {
      pattern = {
        source      = ["aws.glue"]
        detail-type = ["Glue Job State Change"]
        detail      = { jobName = ["${local.prefix}-etl"], state = ["FAILED", "TIMEOUT"] }
      }
      paths   = { name = "$.detail.jobRunId", reason = "$.detail.message" }
      message = "ETL run <name> failed: <reason>"
    }
  }
}

resource "aws_cloudwatch_event_rule" "incoming" {
  name        = "${local.prefix}-new-raw-data"
  description = "A file was put into ${local.incoming_folder} of the raw bucket"
  event_pattern = jsonencode({
    source      = ["aws.s3"]
    detail-type = ["Object Created"]
    detail = {
      bucket = { name = [aws_s3_bucket.zone["raw"].id] }
      object = { key = [{ prefix = local.incoming_folder }] }
    }
  })
}

resource "aws_cloudwatch_event_target" "incoming" {
  rule      = aws_cloudwatch_event_rule.incoming.name
  target_id = "etl"
  arn       = aws_glue_workflow.incoming.arn
  role_arn  = aws_iam_role.service["events"].arn
}

resource "aws_glue_workflow" "incoming" {
  name                = "${local.prefix}-incoming"
  description         = "ETL of what arrives in the raw bucket"
  max_concurrent_runs = 1
}

# Weekly files come many at a time: one run for all that arrive within a quarter of an hour.
resource "aws_glue_trigger" "incoming" {
  name          = "${local.prefix}-incoming"
  type          = "EVENT"
  workflow_name = aws_glue_workflow.incoming.name

  actions {
    job_name = aws_glue_job.etl.name
  }

  event_batching_condition {
    batch_size   = 100
    batch_window = 900
  }
}

resource "aws_cloudwatch_event_rule" "failure" {
  for_each = local.failures

  name          = "${local.prefix}-${each.key}"
  description   = "Told to the topic of alarms"
  event_pattern = jsonencode(each.value.pattern)
}

resource "aws_cloudwatch_event_target" "failure" {
  for_each = local.failures

  rule      = aws_cloudwatch_event_rule.failure[each.key].name
  target_id = "alarms"
  arn       = aws_sns_topic.alarms.arn

  input_transformer {
    input_paths    = each.value.paths
    input_template = jsonencode(each.value.message)
  }
}
