# The cluster's nodes: a base that is always there, and spot nodes that come and go with the load.
#
# Parked, the groups don't exist at all. A group with a size of zero would need its size ignored here, because the
# autoscaler changes it, and given back at waking, which Terraform then wouldn't do.
#
# A group's name ends in what can't be changed in place, so a change makes the new group before the old one drains.

locals {
  base_groups = !var.parked && var.node_base > 0 ? { base = substr(sha1(var.node_types[0]), 0, 6) } : {}

  # The smallest size is in it too: EKS refuses to raise it above the size that the autoscaler chose.
  spot_groups = !var.parked && var.node_spot_max > 0 ? {
    spot = substr(sha1(jsonencode([var.node_types, var.node_spot_min])), 0, 6)
  } : {}

  node_groups = merge(
    { for name, group in aws_eks_node_group.base : name => group },
    { for name, group in aws_eks_node_group.spot : name => group },
  )
}

resource "aws_launch_template" "node" {
  name                   = "${local.prefix}-node"
  description            = "Nodes of the cluster ${local.prefix}"
  update_default_version = true

  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 1 # pods have roles of their own and no business with the node's
  }

  block_device_mappings {
    device_name = "/dev/xvda"

    ebs {
      volume_type           = "gp3"
      volume_size           = var.node_disk_gb
      encrypted             = true # with AWS's own key: images and scratch, no data
      delete_on_termination = true
    }
  }

  # Without the expiry: another moment would make another version, and that would replace every node.
  dynamic "tag_specifications" {
    for_each = toset(["instance", "volume", "network-interface"])

    content {
      resource_type = tag_specifications.value
      tags          = merge(local.identity, { Name = "${local.prefix}-node" })
    }
  }
}

resource "aws_eks_node_group" "base" {
  for_each = local.base_groups

  cluster_name    = aws_eks_cluster.main.name
  node_group_name = "${local.prefix}-base-${each.value}"
  node_role_arn   = aws_iam_role.service["nodes"].arn
  subnet_ids      = [for subnet in aws_subnet.private : subnet.id]
  version         = var.kubernetes_version
  ami_type        = "AL2023_x86_64_STANDARD"
  capacity_type   = "ON_DEMAND"
  instance_types  = [var.node_types[0]]
  labels          = { "retailops/capacity" = "base" }

  scaling_config {
    min_size     = var.node_base
    desired_size = var.node_base
    max_size     = var.node_base
  }

  update_config {
    max_unavailable = 1
  }

  launch_template {
    id      = aws_launch_template.node.id
    version = aws_launch_template.node.latest_version
  }

  lifecycle {
    create_before_destroy = true
  }

  # Nodes need the way out, the network of pods, and their rights for as long as they live.
  depends_on = [aws_iam_role_policy_attachment.service, aws_eks_addon.node, aws_route.out, aws_vpc_endpoint.s3]
}

resource "aws_eks_node_group" "spot" {
  for_each = local.spot_groups

  cluster_name    = aws_eks_cluster.main.name
  node_group_name = "${local.prefix}-spot-${each.value}"
  node_role_arn   = aws_iam_role.service["nodes"].arn
  subnet_ids      = [for subnet in aws_subnet.private : subnet.id]
  version         = var.kubernetes_version
  ami_type        = "AL2023_x86_64_STANDARD"
  capacity_type   = "SPOT"
  instance_types  = var.node_types
  labels          = { "retailops/capacity" = "spot" }

  scaling_config {
    min_size     = var.node_spot_min
    desired_size = var.node_spot_min
    max_size     = var.node_spot_max
  }

  update_config {
    max_unavailable = 1
  }

  launch_template {
    id      = aws_launch_template.node.id
    version = aws_launch_template.node.latest_version
  }

  lifecycle {
    create_before_destroy = true
    ignore_changes        = [scaling_config[0].desired_size] # the autoscaler's to say
  }

  depends_on = [aws_iam_role_policy_attachment.service, aws_eks_addon.node, aws_route.out, aws_vpc_endpoint.s3]
}

# EKS makes the scaling groups, with the autoscaler's tags and none of ours.
resource "aws_autoscaling_group_tag" "node" {
  for_each = {
    for pair in setproduct(keys(merge(local.base_groups, local.spot_groups)), keys(local.tags)) :
    "${pair[0]} ${pair[1]}" => { group = pair[0], key = pair[1] }
  }

  autoscaling_group_name = local.node_groups[each.value.group].resources[0].autoscaling_groups[0].name

  tag {
    key                 = each.value.key
    value               = local.tags[each.value.key]
    propagate_at_launch = true
  }
}
