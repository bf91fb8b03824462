# What the lake's tables are called, the job that fills them, and the place to ask them questions.

locals {
  query_folder   = "queries/"
  feature_folder = "features"
  code_folder    = "code"
  glue_database  = replace(local.prefix, "-", "_") # Athena wants no hyphen in a database
}

resource "aws_glue_catalog_database" "main" {
  name        = local.glue_database
  description = "Tables of the lake of ${local.prefix}"
}

resource "aws_glue_security_configuration" "main" {
  name = local.prefix

  encryption_configuration {
    s3_encryption {
      s3_encryption_mode = "SSE-KMS"
      kms_key_arn        = aws_kms_key.main["data"].arn
    }

    cloudwatch_encryption {
      cloudwatch_encryption_mode = "SSE-KMS"
      kms_key_arn                = aws_kms_key.main["platform"].arn
    }

    job_bookmarks_encryption {
      job_bookmarks_encryption_mode = "CSE-KMS"
      kms_key_arn                   = aws_kms_key.main["data"].arn
    }
  }
}

# The smallest that Glue has: two workers, an hour at most. The script is put there by the first `retailops etl`.
resource "aws_glue_job" "etl" {
  name                   = "${local.prefix}-etl"
  description            = "raw to silver and gold"
  role_arn               = aws_iam_role.pod["etl"].arn
  security_configuration = aws_glue_security_configuration.main.name
  glue_version           = "5.0"
  worker_type            = "G.1X"
  number_of_workers      = 2
  timeout                = 60
  max_retries            = 0
  execution_class        = "STANDARD"

  command {
    name            = "glueetl"
    python_version  = "3"
    script_location = "s3://${aws_s3_bucket.zone["gold"].id}/${local.code_folder}/etl.py"
  }

  execution_property {
    max_concurrent_runs = 1
  }

  default_arguments = {
    "--TempDir"                          = "s3://${aws_s3_bucket.zone["gold"].id}/${local.query_folder}glue/"
    "--enable-continuous-cloudwatch-log" = "true"
    "--continuous-log-logGroup"          = aws_cloudwatch_log_group.main["etl"].name
    "--enable-metrics"                   = "true"
    "--raw"                              = "s3://${aws_s3_bucket.zone["raw"].id}/"
    "--silver"                           = "s3://${aws_s3_bucket.zone["silver"].id}/"
    "--gold"                             = "s3://${aws_s3_bucket.zone["gold"].id}/"
    "--quarantine"                       = "s3://${aws_s3_bucket.zone["quarantine"].id}/"
  }
}

resource "aws_athena_workgroup" "main" {
  name          = local.prefix
  description   = "Questions to the lake of ${local.prefix}"
  force_destroy = true # past queries go with it, the data they asked doesn't

  configuration {
    enforce_workgroup_configuration    = true
    publish_cloudwatch_metrics_enabled = true
    bytes_scanned_cutoff_per_query     = floor(var.query_limit_gb * pow(1024, 3))

    result_configuration {
      output_location = "s3://${aws_s3_bucket.zone["gold"].id}/${local.query_folder}"

      encryption_configuration {
        encryption_option = "SSE_KMS"
        kms_key_arn       = aws_kms_key.main["data"].arn
      }
    }
  }
}
