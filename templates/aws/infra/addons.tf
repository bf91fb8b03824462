# What EKS keeps running in the cluster.

locals {
  # These run on every node, and are there before the first.
  node_addons = {
    vpc-cni = {
      role     = aws_iam_role.pod["cni"].arn
      settings = { enableNetworkPolicy = "true" }
    }
    kube-proxy = { role = null, settings = {} }
  }

  # These wait for a node, so they come after the first and go with the last.
  cluster_addons = var.parked ? toset([]) : toset(["coredns", "metrics-server"])
}

resource "aws_eks_addon" "node" {
  for_each = local.node_addons

  cluster_name                = aws_eks_cluster.main.name
  addon_name                  = each.key
  service_account_role_arn    = each.value.role
  configuration_values        = length(each.value.settings) == 0 ? null : jsonencode(each.value.settings)
  resolve_conflicts_on_create = "OVERWRITE"
  resolve_conflicts_on_update = "OVERWRITE"

  depends_on = [aws_iam_role_policy_attachment.cni]
}

resource "aws_eks_addon" "cluster" {
  for_each = local.cluster_addons

  cluster_name                = aws_eks_cluster.main.name
  addon_name                  = each.key
  resolve_conflicts_on_create = "OVERWRITE"
  resolve_conflicts_on_update = "OVERWRITE"

  depends_on = [aws_eks_node_group.base, aws_eks_node_group.spot]
}
