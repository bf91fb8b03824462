# Who may write into the lake's buckets besides our own roles, and that nobody may without TLS.

locals {
  # zone => who, what, on which of its objects ("" = the bucket itself), on behalf of what
  bucket_guests = {
    logs = concat(
      [for zone, name in local.buckets : { # who read what in the other buckets
        service = "logging.s3.amazonaws.com"
        action  = "s3:PutObject"
        objects = "/access/${zone}/*"
        source  = "arn:${local.partition}:s3:::${name}"
      } if zone != "logs"],
      [ # who asked what of the API
        {
          service = "logdelivery.elasticloadbalancing.amazonaws.com"
          action  = "s3:PutObject"
          objects = "/api${local.own_logs}"
          source  = "${local.elb_arn}:loadbalancer/*"
        },
      ],
      [ # flow logs of the network
        { service = "delivery.logs.amazonaws.com", action = "s3:PutObject", objects = local.own_logs, source = local.any_log },
        { service = "delivery.logs.amazonaws.com", action = "s3:GetBucketAcl", objects = "", source = local.any_log },
      ],
    )
    trail = [
      { service = "cloudtrail.amazonaws.com", action = "s3:PutObject", objects = local.own_logs, source = local.trail_arn },
      { service = "cloudtrail.amazonaws.com", action = "s3:GetBucketAcl", objects = "", source = local.trail_arn },
    ]
  }

  own_logs = "/AWSLogs/${local.account}/*"
  any_log  = "arn:${local.partition}:logs:${var.region}:${local.account}:*"
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
        Principal = { AWS = "*" }
        Action    = "s3:*"
        Resource  = [each.value.arn, "${each.value.arn}/*"]
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      }],
      [for guest in lookup(local.bucket_guests, each.key, []) : {
        Effect    = "Allow"
        Principal = { Service = guest.service }
        Action    = guest.action
        Resource  = "${each.value.arn}${guest.objects}"
        Condition = {
          StringEquals = { "aws:SourceAccount" = local.account }
          ArnLike      = { "aws:SourceArn" = guest.source }
        }
      }],
    )
  })

  depends_on = [aws_s3_bucket_public_access_block.zone]
}
