# SageMaker: models have a registry, features a store. What trains is in the code; its role is in identity.tf.

resource "aws_sagemaker_model_package_group" "main" {
  model_package_group_name        = local.prefix
  model_package_group_description = "Price sensitivity of a basket"
}

locals {
  # group => what identifies a record, and its features. A group can gain features later, never lose one.
  feature_groups = {
    product = {
      record = "prod_code"
      features = {
        category     = "String"
        department   = "String"
        leaning_la   = "Fractional"
        leaning_mm   = "Fractional"
        leaning_um   = "Fractional"
        leaning_none = "Fractional"
      }
    }
    store = {
      record = "store_code"
      features = {
        store_format = "String"
        store_region = "String"
      }
    }
    customer = {
      record = "cust_code"
      features = {
        baskets     = "Integral"
        lifestage   = "String"
        spend_pence = "Integral"
      }
    }
  }
}

resource "aws_sagemaker_feature_group" "main" {
  for_each = local.feature_groups

  feature_group_name             = "${local.prefix}-${each.key}"
  description                    = "Features of a ${each.key}"
  record_identifier_feature_name = each.value.record
  event_time_feature_name        = "event_time"
  role_arn                       = aws_iam_role.service["sagemaker"].arn

  feature_definition {
    feature_name = each.value.record
    feature_type = "String"
  }

  feature_definition {
    feature_name = "event_time"
    feature_type = "String" # ISO 8601
  }

  dynamic "feature_definition" {
    for_each = each.value.features

    content {
      feature_name = feature_definition.key
      feature_type = feature_definition.value
    }
  }

  # Paid by request, not by the hour.
  online_store_config {
    enable_online_store = true

    security_config {
      kms_key_id = aws_kms_key.main["data"].arn
    }
  }

  offline_store_config {
    disable_glue_table_creation = true # it would be in a database that isn't ours to remove

    s3_storage_config {
      s3_uri     = "s3://${aws_s3_bucket.zone["gold"].id}/${local.feature_folder}"
      kms_key_id = aws_kms_key.main["data"].arn
    }
  }

  depends_on = [aws_iam_role_policy.sagemaker]
}
