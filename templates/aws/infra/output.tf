# What the rest of retailops needs to know of it.

output "region" {
  description = "Region of everything."
  value       = var.region
}

output "vpc_id" {
  description = "The network."
  value       = aws_vpc.main.id
}

output "private_subnet_ids" {
  description = "Subnets of nodes and jobs."
  value       = [for subnet in aws_subnet.private : subnet.id]
}

output "public_subnet_ids" {
  description = "Subnets of load balancers and NAT."
  value       = [for subnet in aws_subnet.public : subnet.id]
}

output "cluster_name" {
  description = "The cluster."
  value       = aws_eks_cluster.main.name
}

output "cluster_endpoint" {
  description = "URL of the cluster's API."
  value       = aws_eks_cluster.main.endpoint
}

output "oidc_provider_arn" {
  description = "What turns tokens of service accounts into roles."
  value       = aws_iam_openid_connect_provider.cluster.arn
}

output "repository_url" {
  description = "Where images go."
  value       = aws_ecr_repository.main.repository_url
}

output "buckets" {
  description = "Bucket of each zone, and of the audit trail."
  value       = { for zone, bucket in aws_s3_bucket.zone : zone => bucket.id }
}

output "key_arn" {
  description = "Key of the data."
  value       = aws_kms_key.main["data"].arn
}

output "topic_arn" {
  description = "Topic that alarms go to."
  value       = aws_sns_topic.alarms.arn
}

output "role_arns" {
  description = "Role by what it is for."
  value = merge(
    { for name, role in aws_iam_role.service : name => role.arn },
    { for name, role in aws_iam_role.pod : name => role.arn },
  )
}

output "glue_database" {
  description = "Database of the lake's tables."
  value       = aws_glue_catalog_database.main.name
}

output "glue_job" {
  description = "The ETL job."
  value       = aws_glue_job.etl.name
}

output "workgroup" {
  description = "Athena workgroup of queries."
  value       = aws_athena_workgroup.main.name
}

output "model_package_group" {
  description = "Registry of models."
  value       = aws_sagemaker_model_package_group.main.model_package_group_name
}

output "feature_groups" {
  description = "Feature group by what it describes."
  value       = { for name, group in aws_sagemaker_feature_group.main : name => group.feature_group_name }
}

output "log_groups" {
  description = "Log group by who writes there."
  value       = { for name, group in aws_cloudwatch_log_group.main : name => group.name }
}

output "dashboard" {
  description = "The dashboard."
  value       = aws_cloudwatch_dashboard.main.dashboard_name
}
