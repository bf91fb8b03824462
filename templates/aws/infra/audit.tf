# Who did what in the account, in a bucket of its own. The account's first trail of management events is free.

resource "aws_cloudtrail" "main" {
  #checkov:skip=CKV_AWS_252:A message for every log file delivered is noise; alarms have their own topic
  #checkov:skip=CKV2_AWS_10:A second copy of every event in CloudWatch Logs costs more than all other logs, and nothing here reads it

  name                          = local.prefix
  s3_bucket_name                = aws_s3_bucket.zone["trail"].id
  kms_key_id                    = aws_kms_key.main["platform"].arn
  is_multi_region_trail         = true # IAM is recorded in another region
  include_global_service_events = true
  enable_log_file_validation    = true

  depends_on = [aws_s3_bucket_policy.zone, aws_kms_key_policy.main]
}
