# What each role may do, action by action. A resource is "*" only where AWS knows no narrower one.

locals {
  namespace = "retailops/${local.prefix}" # of the metrics

  bucket_arns = { for zone, bucket in aws_s3_bucket.zone : zone => bucket.arn }
  data_key    = aws_kms_key.main["data"].arn

  feature_arns = [
    "arn:${local.partition}:sagemaker:${var.region}:${local.account}:feature-group/${local.prefix}-*"
  ]

  catalog_arns = [
    "arn:${local.partition}:glue:${var.region}:${local.account}:catalog",
    "arn:${local.partition}:glue:${var.region}:${local.account}:database/${local.glue_database}",
    "arn:${local.partition}:glue:${var.region}:${local.account}:table/${local.glue_database}/*",
  ]

  put_metrics = {
    Effect    = "Allow"
    Action    = "cloudwatch:PutMetricData"
    Resource  = "*" # AWS knows no other; the namespace narrows it
    Condition = { StringEquals = { "cloudwatch:namespace" = [local.namespace] } }
  }

  # What every job on SageMaker's machines does, whatever its work.
  encrypted_volumes = {
    Effect    = "Allow"
    Action    = "kms:CreateGrant"
    Resource  = local.data_key
    Condition = { Bool = { "kms:GrantIsForAWSResource" = "true" } }
  }
  pull_own_images = {
    Effect   = "Allow"
    Action   = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
    Resource = aws_ecr_repository.main.arn
  }
  login_to_registry = {
    Effect   = "Allow"
    Action   = "ecr:GetAuthorizationToken"
    Resource = "*" # AWS knows no other
  }
  write_job_logs = {
    Effect   = "Allow"
    Action   = ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"]
    Resource = "${local.log_arn}:/aws/sagemaker/*"
  }
}

resource "aws_iam_role_policy" "api" {
  name = "serve"
  role = aws_iam_role.pod["api"].id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect   = "Allow"
        Action   = ["s3:GetObject", "s3:GetObjectVersion"]
        Resource = "${local.bucket_arns["models"]}/*"
      },
      {
        Effect   = "Allow"
        Action   = ["s3:ListBucket", "s3:GetBucketLocation"]
        Resource = local.bucket_arns["models"]
      },
      {
        Effect   = "Allow"
        Action   = "kms:Decrypt"
        Resource = local.data_key
        Condition = {
          StringEquals = { "kms:ViaService" = [for name in ["s3", "sagemaker"] : "${name}.${var.region}.amazonaws.com"] }
        }
      },
      {
        Effect   = "Allow"
        Action   = ["sagemaker:GetRecord", "sagemaker:BatchGetRecord"]
        Resource = local.feature_arns
      },
      {
        Effect   = "Allow"
        Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
        Resource = "${aws_cloudwatch_log_group.main["api"].arn}:*"
      },
      local.put_metrics,
    ]
  })
}

resource "aws_iam_role_policy" "etl" {
  name = "etl"
  role = aws_iam_role.pod["etl"].id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect   = "Allow"
        Action   = ["s3:ListBucket", "s3:GetBucketLocation"]
        Resource = [for zone in ["raw", "silver", "gold", "quarantine"] : local.bucket_arns[zone]]
      },
      {
        Effect   = "Allow"
        Action   = ["s3:GetObject", "s3:GetObjectVersion"]
        Resource = [for zone in ["raw", "silver", "gold", "quarantine"] : "${local.bucket_arns[zone]}/*"]
      },
      {
        Effect   = "Allow"
        Action   = ["s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"]
        Resource = [for zone in ["silver", "gold", "quarantine"] : "${local.bucket_arns[zone]}/*"]
      },
      {
        Effect   = "Allow"
        Action   = ["kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey"]
        Resource = local.data_key
      },
      { # what a job on SageMaker is told, and what it tells
        Effect   = "Allow"
        Action   = "s3:ListBucket"
        Resource = local.bucket_arns["models"]
      },
      {
        Effect   = "Allow"
        Action   = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"]
        Resource = "${local.bucket_arns["models"]}/jobs/etl-*" # Spark replaces what it said before by deleting it
      },
      local.encrypted_volumes,
      local.pull_own_images,
      local.login_to_registry,
      local.write_job_logs,
      {
        Effect = "Allow"
        Action = [
          "glue:GetDatabase", "glue:GetTable", "glue:GetTables", "glue:GetPartition", "glue:GetPartitions",
          "glue:CreateTable", "glue:UpdateTable", "glue:BatchCreatePartition", "glue:UpdatePartition",
          "glue:BatchDeletePartition",
        ]
        Resource = local.catalog_arns
      },
      {
        Effect   = "Allow"
        Action   = "glue:GetSecurityConfiguration"
        Resource = "*" # AWS knows no narrower one
      },
      {
        Effect   = "Allow"
        Action   = ["sagemaker:PutRecord"]
        Resource = local.feature_arns
      },
      {
        Effect = "Allow"
        Action = ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents", "logs:AssociateKmsKey"]
        Resource = [
          "${local.log_arn}:${local.log_groups["etl"]}*", # Glue may add the security configuration's name
          "${local.log_arn}:/aws-glue/*",
        ]
      },
      merge(local.put_metrics, { Condition = { StringEquals = { "cloudwatch:namespace" = ["Glue", local.namespace] } } }),
    ]
  })
}

resource "aws_iam_role_policy" "sagemaker" {
  name = "learn"
  role = aws_iam_role.service["sagemaker"].id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect   = "Allow"
        Action   = ["s3:ListBucket", "s3:GetBucketLocation", "s3:GetBucketAcl"]
        Resource = [for zone in ["silver", "gold", "models"] : local.bucket_arns[zone]]
      },
      {
        Effect   = "Allow"
        Action   = ["s3:GetObject", "s3:GetObjectVersion"]
        Resource = [for zone in ["silver", "gold", "models"] : "${local.bucket_arns[zone]}/*"]
      },
      { # bundles and checkpoints; the offline feature store
        Effect = "Allow"
        Action = ["s3:PutObject", "s3:PutObjectAcl", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"]
        Resource = [
          "${local.bucket_arns["models"]}/*",
          "${local.bucket_arns["gold"]}/${local.feature_folder}/*",
        ]
      },
      { # a checkpoint is replaced by the next
        Effect   = "Allow"
        Action   = "s3:DeleteObject"
        Resource = "${local.bucket_arns["models"]}/checkpoints/*"
      },
      {
        Effect   = "Allow"
        Action   = ["kms:Decrypt", "kms:GenerateDataKey"]
        Resource = local.data_key
      },
      local.encrypted_volumes,
      {
        Effect   = "Allow"
        Action   = ["sagemaker:PutRecord", "sagemaker:GetRecord", "sagemaker:BatchGetRecord"]
        Resource = local.feature_arns
      },
      { # our own images, and AWS's with the frameworks
        Effect = "Allow"
        Action = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
        Resource = [
          aws_ecr_repository.main.arn,
          "arn:${local.partition}:ecr:${var.region}:*:repository/sagemaker-*",
          "arn:${local.partition}:ecr:${var.region}:*:repository/pytorch-*",
        ]
      },
      local.login_to_registry,
      local.write_job_logs,
      merge(local.put_metrics, {
        Condition = { StringLike = { "cloudwatch:namespace" = ["/aws/sagemaker/*", local.namespace] } }
      }),
    ]
  })
}

# The bundle is in the image and the network is shut: an endpoint's machines pull, write their log, and that is all.
resource "aws_iam_role_policy" "endpoint" {
  name = "serve"
  role = aws_iam_role.service["endpoint"].id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      local.pull_own_images,
      local.login_to_registry,
      local.encrypted_volumes,
      {
        Effect   = "Allow"
        Action   = ["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"]
        Resource = "${local.log_arn}:/aws/sagemaker/Endpoints/${local.prefix}-api*"
      },
      { # whether an update is to be undone
        Effect   = "Allow"
        Action   = "cloudwatch:DescribeAlarms"
        Resource = "arn:${local.partition}:cloudwatch:${var.region}:${local.account}:alarm:${local.prefix}-*"
      },
    ]
  })
}

resource "aws_iam_role_policy" "events" {
  name = "start-etl"
  role = aws_iam_role.service["events"].id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect   = "Allow"
      Action   = "glue:NotifyEvent"
      Resource = aws_glue_workflow.incoming.arn
    }]
  })
}

resource "aws_iam_role_policy" "autoscaler" {
  name = "scale"
  role = aws_iam_role.pod["autoscaler"].id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      { # AWS narrows none of these
        Effect = "Allow"
        Action = [
          "autoscaling:DescribeAutoScalingGroups", "autoscaling:DescribeAutoScalingInstances",
          "autoscaling:DescribeLaunchConfigurations", "autoscaling:DescribeScalingActivities",
          "autoscaling:DescribeTags", "ec2:DescribeImages", "ec2:DescribeInstanceTypes",
          "ec2:DescribeLaunchTemplateVersions", "ec2:GetInstanceTypesFromInstanceRequirements",
        ]
        Resource = "*"
      },
      {
        Effect   = "Allow"
        Action   = "eks:DescribeNodegroup"
        Resource = "arn:${local.partition}:eks:${var.region}:${local.account}:nodegroup/${local.prefix}/*"
      },
      { # EKS gives this tag to the groups of this cluster
        Effect    = "Allow"
        Action    = ["autoscaling:SetDesiredCapacity", "autoscaling:TerminateInstanceInAutoScalingGroup"]
        Resource  = "arn:${local.partition}:autoscaling:${var.region}:${local.account}:autoScalingGroup:*"
        Condition = { StringEquals = { "aws:ResourceTag/k8s.io/cluster-autoscaler/${local.prefix}" = "owned" } }
      },
    ]
  })
}
