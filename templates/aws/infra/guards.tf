# Who may write into the lake's buckets besides our own roles, and that nobody may without TLS.

locals {
  bucket_guests = {
    logs = [
      { # who read what in the other buckets
        service = "logging.s3.amazonaws.com"
        actions = ["s3:PutObject"]
        objects = ["access/*"]
        source  = [for zone, name in local.buckets : "arn:${local.partition}:s3:::${name}" if zone != "logs"]
      },
      { # flow logs of the network
        service = "delivery.logs.amazonaws.com"
        actions = ["s3:PutObject"]
        objects = ["network/AWSLogs/${local.account}/*"]
        source  = ["arn:${local.partition}:logs:${var.region}:${local.account}:*"]
      },
      {
        service = "delivery.logs.amazonaws.com"
        actions = ["s3:GetBucketAcl", "s3:ListBucket"]
        objects = []
        source  = ["arn:${local.partition}:logs:${var.region}:${local.account}:*"]
      },
    ]
    trail = [
      {
        service = "cloudtrail.amazonaws.com"
        actions = ["s3:PutObject"]
        objects = ["AWSLogs/${local.account}/*"]
        source  = [local.trail_arn]
      },
      {
        service = "cloudtrail.amazonaws.com"
        actions = ["s3:GetBucketAcl"]
        objects = []
        source  = [local.trail_arn]
      },
    ]
  }
}

resource "aws_s3_bucket_policy" "zone" {
  for_each = aws_s3_bucket.zone

  bucket = each.value.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [{
        Sid       = "TlsOnly"
        Effect    = "Deny"
        Principal = "*"
        Action    = "s3:*"
        Resource  = [each.value.arn, "${each.value.arn}/*"]
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      }],
      [for guest in lookup(local.bucket_guests, each.key, []) : {
        Effect    = "Allow"
        Principal = { Service = guest.service }
        Action    = guest.actions
        Resource  = length(guest.objects) == 0 ? [each.value.arn] : [for name in guest.objects : "${each.value.arn}/${name}"]
        Condition = {
          StringEquals = { "aws:SourceAccount" = local.account }
          ArnLike      = { "aws:SourceArn" = guest.source }
        }
      }],
    )
  })

  depends_on = [aws_s3_bucket_public_access_block.zone]
}
