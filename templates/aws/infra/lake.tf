# The zones of the lake, a bucket each, and one for the audit trail. Terraform deletes no data: teardown empties buckets itself.

locals {
  trail_bucket = "${local.prefix}-trail-${local.account}"
  buckets      = merge(var.buckets, { trail = local.trail_bucket })
  data_zones   = toset(["raw", "silver", "gold", "models", "quarantine"])
}

resource "aws_s3_bucket" "zone" {
  #checkov:skip=CKV_AWS_144:A single region by design; raw files can be loaded again, all else is made from them
  #checkov:skip=CKV2_AWS_62:What arrives in raw is told to EventBridge; nothing waits for the other zones

  for_each = local.buckets

  bucket = each.value

  # What AWS writes about us goes on arriving while all else is removed; it may not keep its bucket standing.
  force_destroy = contains(["logs", "trail"], each.key)

  tags = { Name = each.value, "retailops:zone" = each.key }
}

resource "aws_s3_bucket_ownership_controls" "zone" {
  for_each = aws_s3_bucket.zone

  bucket = each.value.id

  rule {
    object_ownership = "BucketOwnerEnforced" # no ACLs at all
  }
}

resource "aws_s3_bucket_public_access_block" "zone" {
  for_each = aws_s3_bucket.zone

  bucket                  = each.value.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_versioning" "zone" {
  for_each = aws_s3_bucket.zone

  bucket = each.value.id

  versioning_configuration {
    status = "Enabled"
  }
}

# Access logs can be delivered only to a bucket with S3's own encryption; everything else has a key of ours.
resource "aws_s3_bucket_server_side_encryption_configuration" "zone" {
  for_each = aws_s3_bucket.zone

  bucket = each.value.id

  rule {
    bucket_key_enabled = each.key != "logs" # one request to KMS for many objects

    apply_server_side_encryption_by_default {
      sse_algorithm     = each.key == "logs" ? "AES256" : "aws:kms"
      kms_master_key_id = each.key == "logs" ? null : aws_kms_key.main[each.key == "trail" ? "platform" : "data"].arn
    }
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "zone" {
  for_each = aws_s3_bucket.zone

  bucket = each.value.id

  rule {
    id     = "leftovers"
    status = "Enabled"

    filter {}

    abort_incomplete_multipart_upload {
      days_after_initiation = 2
    }

    noncurrent_version_expiration {
      noncurrent_days = 30
    }
  }

  # What isn't read moves to a cheaper tier by itself; objects below 128 KB stay where they are and cost nothing extra.
  dynamic "rule" {
    for_each = contains(local.data_zones, each.key) ? ["tiers"] : []

    content {
      id     = rule.value
      status = "Enabled"

      filter {}

      transition {
        days          = 0
        storage_class = "INTELLIGENT_TIERING"
      }
    }
  }

  # prefix => days after which it may go
  dynamic "rule" {
    for_each = lookup({
      gold       = { (local.query_folder) = 7 }
      quarantine = { "" = 90 }
      logs       = { "" = 90 }
      trail      = { "" = 365 }
    }, each.key, {})

    content {
      id     = "expiry"
      status = "Enabled"

      filter {
        prefix = rule.key
      }

      expiration {
        days = rule.value
      }
    }
  }

  depends_on = [aws_s3_bucket_versioning.zone]
}

resource "aws_s3_bucket_logging" "zone" {
  for_each = { for zone, bucket in aws_s3_bucket.zone : zone => bucket if zone != "logs" }

  bucket        = each.value.id
  target_bucket = aws_s3_bucket.zone["logs"].id
  target_prefix = "access/${each.key}/"

  depends_on = [aws_s3_bucket_policy.zone]
}

# New objects in raw are told to EventBridge; events.tf says what follows.
resource "aws_s3_bucket_notification" "raw" {
  bucket      = aws_s3_bucket.zone["raw"].id
  eventbridge = true
}
