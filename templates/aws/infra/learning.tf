# SageMaker: models have a registry, features a store. What trains is in the code; its role is in identity.tf.

resource "aws_sagemaker_model_package_group" "main" {
  model_package_group_name        = local.prefix
  model_package_group_description = "Price sensitivity of a basket"
}

locals {
  # group => the key of what it describes, and its features. A group can gain features later, never lose one.
  feature_groups = {
    product = {
      key = "prod_code"
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
      key = "store_code"
      features = {
        store_format = "String"
        store_region = "String"
      }
    }
    customer = {
      key = "cust_code"
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
  record_identifier_feature_name = "record_id" # <edition>/<key>: a new edition stands beside the old one until it is whole
  event_time_feature_name        = "event_time"
  role_arn                       = aws_iam_role.service["sagemaker"].arn

  feature_definition {
    feature_name = "record_id"
    feature_type = "String"
  }

  feature_definition {
    feature_name = "event_time"
    feature_type = "String" # ISO 8601
  }

  feature_definition {
    feature_name = "version" # of the dataset or bundle that it was made of
    feature_type = "String"
  }

  feature_definition {
    feature_name = each.value.key
    feature_type = "String"
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
