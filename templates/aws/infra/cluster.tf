# The Kubernetes cluster. Its control plane is AWS's; the nodes are in nodes.tf.

resource "aws_eks_cluster" "main" {
  name     = local.prefix
  role_arn = aws_iam_role.service["cluster"].arn
  version  = var.kubernetes_version

  # Each is recorded: the log group below keeps them for log_days.
  enabled_cluster_log_types     = ["api", "audit", "authenticator", "controllerManager", "scheduler"]
  bootstrap_self_managed_addons = false # addons.tf has them, with versions that are kept

  vpc_config {
    subnet_ids              = [for subnet in aws_subnet.private : subnet.id]
    endpoint_private_access = true
    endpoint_public_access  = length(var.api_cidrs) > 0
    public_access_cidrs     = length(var.api_cidrs) > 0 ? var.api_cidrs : null
  }

  access_config {
    authentication_mode                         = "API_AND_CONFIG_MAP"
    bootstrap_cluster_creator_admin_permissions = true # whoever runs `infra up` deploys afterwards
  }

  encryption_config {
    resources = ["secrets"]

    provider {
      key_arn = aws_kms_key.main["platform"].arn
    }
  }

  upgrade_policy {
    support_type = "STANDARD" # extended support costs six times as much; an upgrade is due instead
  }

  depends_on = [aws_iam_role_policy_attachment.service, aws_cloudwatch_log_group.main]
}

# Tokens of the cluster's service accounts become AWS roles by this. AWS knows the issuer's certificate itself.
resource "aws_iam_openid_connect_provider" "cluster" {
  url            = aws_eks_cluster.main.identity[0].oidc[0].issuer
  client_id_list = ["sts.amazonaws.com"]

  tags = { Name = local.prefix }
}
