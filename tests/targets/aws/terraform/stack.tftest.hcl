# Cluster, nodes, keys, buckets and rights: what protects them, and what follows from each choice.

mock_provider "aws" {
  source = "./tests"
}

variables {
  project     = "retail-demo"
  environment = "dev"
  owner       = "data-team"

  buckets = {
    raw        = "retail-demo-dev-raw-123456789012"
    silver     = "retail-demo-dev-silver-123456789012"
    gold       = "retail-demo-dev-gold-123456789012"
    models     = "retail-demo-dev-models-123456789012"
    quarantine = "retail-demo-dev-quarantine-123456789012"
    logs       = "retail-demo-dev-logs-123456789012"
  }
}

run "as_it_comes" {
  command = apply

  variables {
    expires = "2030-01-31T18:00:00Z"
  }

  assert {
    condition     = aws_eks_cluster.main.vpc_config[0].endpoint_private_access && !aws_eks_cluster.main.vpc_config[0].endpoint_public_access
    error_message = "Without api_cidrs the cluster is reached from inside alone."
  }

  assert {
    condition     = aws_eks_cluster.main.upgrade_policy[0].support_type == "STANDARD" && aws_eks_cluster.main.access_config[0].authentication_mode == "API_AND_CONFIG_MAP"
    error_message = "Standard support; access by API and map."
  }

  assert {
    condition     = aws_eks_cluster.main.encryption_config[0].resources == toset(["secrets"]) && aws_eks_cluster.main.encryption_config[0].provider[0].key_arn == aws_kms_key.main["platform"].arn
    error_message = "Secrets are encrypted with the platform's key."
  }

  assert {
    condition     = aws_eks_cluster.main.enabled_cluster_log_types == toset(["api", "audit", "authenticator", "controllerManager", "scheduler"]) && aws_cloudwatch_log_group.main["cluster"].name == "/aws/eks/retail-demo-dev/cluster"
    error_message = "Every log of the control plane, into a group that is there before the cluster."
  }

  assert {
    condition     = alltrue([for group in aws_cloudwatch_log_group.main : group.retention_in_days == 14 && group.kms_key_id == aws_kms_key.main["platform"].arn])
    error_message = "Logs are encrypted, and end."
  }

  assert {
    condition     = aws_eks_node_group.base["base"].capacity_type == "ON_DEMAND" && aws_eks_node_group.base["base"].instance_types == tolist(["t3.medium"]) && aws_eks_node_group.spot["spot"].capacity_type == "SPOT" && aws_eks_node_group.spot["spot"].instance_types == tolist(["t3.medium", "t3a.medium"])
    error_message = "On-demand nodes of the first type, spot nodes of any."
  }

  assert {
    condition     = aws_eks_node_group.spot["spot"].scaling_config[0].min_size == 1 && aws_eks_node_group.spot["spot"].scaling_config[0].max_size == 3 && aws_eks_node_group.base["base"].scaling_config[0].max_size == 1
    error_message = "The base stays, spot goes from one to three."
  }

  assert {
    condition     = alltrue([for group in [aws_eks_node_group.base["base"], aws_eks_node_group.spot["spot"]] : group.subnet_ids == toset([for subnet in aws_subnet.private : subnet.id])])
    error_message = "Nodes live in the private subnets."
  }

  assert {
    condition     = aws_launch_template.node.metadata_options[0].http_tokens == "required" && aws_launch_template.node.metadata_options[0].http_put_response_hop_limit == 1
    error_message = "IMDSv2, and not for pods."
  }

  assert {
    condition     = aws_launch_template.node.block_device_mappings[0].ebs[0].encrypted == "true" && aws_launch_template.node.block_device_mappings[0].ebs[0].volume_type == "gp3" && aws_launch_template.node.block_device_mappings[0].ebs[0].volume_size == 20
    error_message = "Disks are encrypted gp3."
  }

  assert {
    condition     = { for each in aws_launch_template.node.tag_specifications : each.resource_type => contains(keys(each.tags), "retailops:expires") } == { instance = false, volume = false, network-interface = false }
    error_message = "Nodes, disks and interfaces carry our tags, but not the expiry, which would replace every node."
  }

  assert {
    condition     = alltrue([for each in aws_launch_template.node.tag_specifications : each.tags["retailops:project"] == "retail-demo" && each.tags["retailops:owner"] == "data-team"])
    error_message = "Nodes, disks and interfaces say whose they are."
  }

  assert {
    condition     = toset([for each in aws_autoscaling_group_tag.node : each.tag[0].key]) == toset(["retailops:project", "retailops:environment", "retailops:managed-by", "retailops:owner", "retailops:expires"]) && length(aws_autoscaling_group_tag.node) == 10
    error_message = "Both scaling groups carry all five tags."
  }

  assert {
    condition     = jsondecode(aws_eks_addon.node["vpc-cni"].configuration_values).enableNetworkPolicy == "true" && keys(aws_eks_addon.cluster) == ["coredns", "metrics-server"]
    error_message = "Network policies are enforced; names and metrics are served."
  }

  assert {
    condition     = length(aws_kms_key.main) == 2 && alltrue([for key in aws_kms_key.main : key.enable_key_rotation && key.deletion_window_in_days == 7])
    error_message = "Two keys that turn every year and can be gone in a week."
  }

  assert {
    condition     = alltrue([for zone, each in aws_s3_bucket_server_side_encryption_configuration.zone : one(each.rule).apply_server_side_encryption_by_default[0].sse_algorithm == (zone == "logs" ? "AES256" : "aws:kms")])
    error_message = "Buckets are encrypted with a key of ours, but for the one that AWS can't deliver to then."
  }

  assert {
    condition     = alltrue([for each in aws_s3_bucket_public_access_block.zone : each.block_public_acls && each.block_public_policy && each.ignore_public_acls && each.restrict_public_buckets]) && length(aws_s3_bucket_public_access_block.zone) == 7
    error_message = "No bucket can be made public."
  }

  assert {
    condition     = alltrue([for each in aws_s3_bucket_versioning.zone : each.versioning_configuration[0].status == "Enabled"]) && length(aws_s3_bucket_versioning.zone) == 7
    error_message = "Every bucket keeps versions."
  }

  assert {
    condition     = alltrue([for each in aws_s3_bucket_policy.zone : jsondecode(each.policy).Statement[0].Effect == "Deny" && jsondecode(each.policy).Statement[0].Condition.Bool["aws:SecureTransport"] == "false"]) && length(aws_s3_bucket_policy.zone) == 7
    error_message = "No bucket answers without TLS."
  }

  assert {
    condition     = toset([for zone, each in aws_s3_bucket.zone : zone if each.force_destroy]) == toset(["logs", "trail"])
    error_message = "Terraform deletes no bucket that holds data."
  }

  assert {
    condition     = toset([for zone, each in aws_s3_bucket_lifecycle_configuration.zone : zone if contains(flatten([for rule in each.rule : [for move in rule.transition : move.storage_class]]), "INTELLIGENT_TIERING")]) == toset(["raw", "silver", "gold", "models", "quarantine"])
    error_message = "Data that isn't read gets cheaper by itself."
  }

  assert {
    condition     = aws_s3_bucket.zone["trail"].bucket == "retail-demo-dev-trail-123456789012" && aws_cloudtrail.main.enable_log_file_validation && aws_cloudtrail.main.is_multi_region_trail
    error_message = "The audit trail has a bucket of its own, and shows whether it was changed."
  }

  assert {
    condition     = aws_ecr_repository.main.image_tag_mutability == "IMMUTABLE" && aws_ecr_repository.main.image_scanning_configuration[0].scan_on_push
    error_message = "Images are scanned, and a tag means one image for ever."
  }

  assert {
    condition     = aws_athena_workgroup.main.configuration[0].bytes_scanned_cutoff_per_query == 10737418240 && aws_athena_workgroup.main.configuration[0].enforce_workgroup_configuration
    error_message = "A query ends at ten gigabytes, whatever its caller says."
  }

  assert {
    condition     = keys(aws_sagemaker_feature_group.main) == ["customer", "product", "store"] && aws_sagemaker_model_package_group.main.model_package_group_name == "retail-demo-dev"
    error_message = "Three feature groups and a registry of models."
  }

  assert {
    condition     = length(aws_sns_topic_subscription.email) == 0
    error_message = "Nobody is written to without an address."
  }

  assert {
    condition     = toset([for each in aws_budgets_budget.monthly.notification : each.threshold]) == toset([50, 80, 100, 120]) && length(aws_budgets_budget.monthly.cost_filter) == 0 && aws_budgets_budget.monthly.limit_amount == "250"
    error_message = "The budget warns at half, four fifths and six fifths, and by forecast."
  }

  assert {
    condition     = toset(keys(output.role_arns)) == toset(["cluster", "nodes", "sagemaker", "endpoint", "events", "api", "etl", "load_balancer_controller", "autoscaler", "cni"])
    error_message = "A role for each part, and no other."
  }

  assert {
    condition = alltrue([for name, account in {
      api                      = "system:serviceaccount:retailops:api"
      etl                      = "system:serviceaccount:retailops:etl"
      autoscaler               = "system:serviceaccount:kube-system:cluster-autoscaler"
      load_balancer_controller = "system:serviceaccount:kube-system:aws-load-balancer-controller"
      } : jsondecode(aws_iam_role.pod[name].assume_role_policy).Statement[0].Condition.StringEquals == {
      "oidc.eks.ap-southeast-1.amazonaws.com/id/MOCKED:aud" = "sts.amazonaws.com"
      "oidc.eks.ap-southeast-1.amazonaws.com/id/MOCKED:sub" = account
    }])
    error_message = "A pod's role belongs to one service account of this cluster."
  }

  assert {
    condition = alltrue([for name in [
      aws_eks_cluster.main.name, aws_ecr_repository.main.name, aws_sns_topic.alarms.name, aws_glue_job.etl.name, aws_cloudtrail.main.name,
      aws_athena_workgroup.main.name, aws_budgets_budget.monthly.name, aws_cloudwatch_dashboard.main.dashboard_name, aws_launch_template.node.name,
      aws_glue_workflow.incoming.name, aws_cloudwatch_event_rule.incoming.name, aws_iam_role.service["nodes"].name, aws_iam_role.pod["api"].name,
    ] : startswith(name, "retail-demo-dev")])
    error_message = "Every name begins with project and environment."
  }
}

run "other_choices" {
  command = apply

  variables {
    api_cidrs      = ["203.0.113.4/32"]
    alarm_email    = "team@example.com"
    budget_by_tag  = true
    query_limit_gb = 0.01
    waf_arn        = "arn:aws:wafv2:ap-southeast-1:123456789012:regional/webacl/api/12345678-1234-1234-1234-123456789012"
    node_base      = 0
    node_spot_min  = 2
    owner          = ""
  }

  assert {
    condition     = aws_eks_cluster.main.vpc_config[0].endpoint_public_access && aws_eks_cluster.main.vpc_config[0].public_access_cidrs == toset(["203.0.113.4/32"])
    error_message = "The public endpoint is for the networks named, and no other."
  }

  assert {
    condition = [
      for statement in jsondecode(aws_iam_role_policy.balancer.policy).Statement : [statement.Resource[0], length(statement.Resource)]
      if contains(statement.Action, "wafv2:AssociateWebACL")
    ] == [[var.waf_arn, 3]]
    error_message = "The load-balancer controller may set the firewall that was named, and no other."
  }

  assert {
    condition     = one(aws_sns_topic_subscription.email).endpoint == "team@example.com"
    error_message = "Alarms are written to the address."
  }

  assert {
    condition     = one(aws_budgets_budget.monthly.cost_filter).values == tolist(["user:retailops:project$retail-demo"])
    error_message = "The budget counts what carries the project's tag."
  }

  assert {
    condition     = aws_athena_workgroup.main.configuration[0].bytes_scanned_cutoff_per_query >= 10485760
    error_message = "Athena takes no limit below 10 MB."
  }

  assert {
    condition     = length(aws_eks_node_group.base) == 0 && aws_eks_node_group.spot["spot"].node_group_name != "retail-demo-dev-spot-f74f6b"
    error_message = "No base; and a group of another smallest size is another group."
  }

  assert {
    condition     = length(aws_autoscaling_group_tag.node) == 3
    error_message = "No owner, no expiry: no such tags."
  }
}
