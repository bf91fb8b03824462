# The AWS side of a retailops project: one root module, a file per noun.
# `retailops infra up` copies it, writes the variables from retail.yaml and keeps the state in S3.

terraform {
  required_version = ">= 1.10" # the S3 backend's own lock file

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.0, < 7.0"
    }
  }

  backend "s3" {} # bucket, key, region, encrypt and use_lockfile come from the runner
}

provider "aws" {
  region            = var.region
  s3_use_path_style = var.s3_path_style

  default_tags {
    tags = local.tags
  }
}

data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

locals {
  prefix    = "${var.project}-${var.environment}"
  account   = data.aws_caller_identity.current.account_id
  partition = data.aws_partition.current.partition

  # What stays the same over an environment's life; nodes and disks carry these.
  identity = merge(
    {
      "retailops:project"     = var.project
      "retailops:environment" = var.environment
      "retailops:managed-by"  = "retailops"
    },
    var.owner == "" ? {} : { "retailops:owner" = var.owner },
  )

  tags = merge(local.identity, var.expires == "" ? {} : { "retailops:expires" = var.expires })
}
