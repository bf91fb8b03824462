# What the provider would have been told by AWS. Everything else is invented at random by Terraform.

mock_data "aws_caller_identity" {
  defaults = { account_id = "123456789012" }
}

mock_data "aws_partition" {
  defaults = { partition = "aws" }
}

mock_data "aws_availability_zones" {
  defaults = { names = ["ap-southeast-1a", "ap-southeast-1b", "ap-southeast-1c"] }
}

mock_resource "aws_iam_role" {
  defaults = { arn = "arn:aws:iam::123456789012:role/mocked" }
}

mock_resource "aws_iam_openid_connect_provider" {
  defaults = { arn = "arn:aws:iam::123456789012:oidc-provider/oidc.eks.ap-southeast-1.amazonaws.com/id/MOCKED" }
}

mock_resource "aws_kms_key" {
  defaults = { arn = "arn:aws:kms:ap-southeast-1:123456789012:key/00000000-0000-0000-0000-000000000000" }
}

mock_resource "aws_s3_bucket" {
  defaults = { arn = "arn:aws:s3:::mocked" }
}

mock_resource "aws_sns_topic" {
  defaults = { arn = "arn:aws:sns:ap-southeast-1:123456789012:mocked" }
}

mock_resource "aws_cloudwatch_log_group" {
  defaults = { arn = "arn:aws:logs:ap-southeast-1:123456789012:log-group:mocked" }
}

mock_resource "aws_glue_workflow" {
  defaults = { arn = "arn:aws:glue:ap-southeast-1:123456789012:workflow/mocked" }
}

mock_resource "aws_ecr_repository" {
  defaults = { arn = "arn:aws:ecr:ap-southeast-1:123456789012:repository/mocked" }
}

mock_resource "aws_launch_template" {
  defaults = { id = "lt-0123456789abcdef0" }
}

mock_resource "aws_eks_cluster" {
  defaults = {
    identity = [{ oidc = [{ issuer = "https://oidc.eks.ap-southeast-1.amazonaws.com/id/MOCKED" }] }]
  }
}

mock_resource "aws_eks_node_group" {
  defaults = {
    resources = [{ autoscaling_groups = [{ name = "eks-mocked" }], remote_access_security_group_id = "" }]
  }
}
