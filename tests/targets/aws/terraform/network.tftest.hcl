# The network in its shapes: zones, NAT, endpoints, parked. The provider is the real one with invented answers.

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

run "two_zones_and_one_nat_by_default" {
  command = apply

  assert {
    condition     = length(aws_subnet.private) == 2 && length(aws_subnet.public) == 2
    error_message = "A private and a public subnet in each of two zones."
  }

  assert {
    condition     = [for zone in ["ap-southeast-1a", "ap-southeast-1b"] : aws_subnet.private[zone].cidr_block] == ["10.20.0.0/19", "10.20.32.0/19"]
    error_message = "Private subnets take an eighth of the network each."
  }

  assert {
    condition     = [for zone in ["ap-southeast-1a", "ap-southeast-1b"] : aws_subnet.public[zone].cidr_block] == ["10.20.192.0/22", "10.20.196.0/22"]
    error_message = "Public subnets are in the last quarter, apart from the private ones."
  }

  assert {
    condition     = alltrue([for subnet in aws_subnet.public : subnet.map_public_ip_on_launch == false])
    error_message = "Nothing gets a public address by being there."
  }

  assert {
    condition     = keys(aws_nat_gateway.main) == ["ap-southeast-1a"] && keys(aws_eip.nat) == ["ap-southeast-1a"]
    error_message = "One NAT gateway, one address."
  }

  assert {
    condition     = length(aws_route.out) == 2 && alltrue([for route in aws_route.out : route.nat_gateway_id == aws_nat_gateway.main["ap-southeast-1a"].id && route.destination_cidr_block == "0.0.0.0/0"])
    error_message = "Both zones go out through it."
  }

  assert {
    condition     = alltrue([for zone, table in aws_route_table_association.private : table.route_table_id == aws_route_table.private[zone].id])
    error_message = "Each private subnet has its zone's route table."
  }

  assert {
    condition     = alltrue([for zone, table in aws_route_table_association.public : table.route_table_id == aws_route_table.public.id]) && aws_route.internet.gateway_id == aws_internet_gateway.main.id
    error_message = "Public subnets lead to the internet gateway."
  }

  assert {
    condition     = toset(aws_vpc_endpoint.s3.route_table_ids) == toset([for table in aws_route_table.private : table.id]) && aws_vpc_endpoint.s3.vpc_endpoint_type == "Gateway"
    error_message = "S3 is reached through its gateway endpoint from every private subnet."
  }

  assert {
    condition     = length(aws_vpc_endpoint.interface) == 0 && length(aws_security_group.endpoints) == 0
    error_message = "No interface endpoint that nobody asked for."
  }

  assert {
    condition     = aws_subnet.public["ap-southeast-1a"].tags["kubernetes.io/role/elb"] == "1" && aws_subnet.private["ap-southeast-1a"].tags["kubernetes.io/role/internal-elb"] == "1"
    error_message = "The load-balancer controller finds its subnets by these tags."
  }

  assert {
    condition     = length(aws_default_security_group.closed.ingress) == 0 && length(aws_default_security_group.closed.egress) == 0
    error_message = "The network's default security group is closed."
  }
}

run "three_zones" {
  command = apply

  variables {
    zones    = 3
    vpc_cidr = "10.64.0.0/20"
  }

  assert {
    condition     = length(aws_subnet.private) == 3 && length(aws_subnet.public) == 3 && length(aws_nat_gateway.main) == 1 && length(aws_route.out) == 3
    error_message = "Three zones, one NAT, three ways out."
  }

  assert {
    condition     = aws_subnet.private["ap-southeast-1c"].cidr_block == "10.64.4.0/23" && aws_subnet.public["ap-southeast-1c"].cidr_block == "10.64.12.128/26"
    error_message = "The smallest network still has room for every subnet."
  }

  assert {
    condition     = length(aws_eks_cluster.main.vpc_config[0].subnet_ids) == 3
    error_message = "The cluster spans all three."
  }
}

run "a_nat_in_each_zone" {
  command = apply

  variables {
    zones = 3
    nat   = "per-az"
  }

  assert {
    condition     = length(aws_nat_gateway.main) == 3 && length(aws_eip.nat) == 3
    error_message = "A gateway and an address for each zone."
  }

  assert {
    condition     = alltrue([for zone, route in aws_route.out : route.nat_gateway_id == aws_nat_gateway.main[zone].id]) && alltrue([for zone, gateway in aws_nat_gateway.main : gateway.subnet_id == aws_subnet.public[zone].id])
    error_message = "Each zone goes out through its own."
  }
}

run "interface_endpoints" {
  command = apply

  variables {
    interface_endpoints = ["ecr.api", "ecr.dkr", "logs"]
  }

  assert {
    condition     = toset([for endpoint in aws_vpc_endpoint.interface : endpoint.service_name]) == toset([for name in ["ecr.api", "ecr.dkr", "logs"] : "com.amazonaws.ap-southeast-1.${name}"])
    error_message = "One endpoint for each service asked for."
  }

  assert {
    condition     = alltrue([for endpoint in aws_vpc_endpoint.interface : endpoint.private_dns_enabled && length(endpoint.subnet_ids) == 2 && endpoint.security_group_ids == toset([aws_security_group.endpoints[0].id])])
    error_message = "Reached by the service's own name, from every zone, through a group of their own."
  }

  assert {
    condition     = toset([for rule in aws_vpc_security_group_ingress_rule.endpoints : rule.cidr_ipv4]) == toset(["10.20.0.0/19", "10.20.32.0/19"]) && alltrue([for rule in aws_vpc_security_group_ingress_rule.endpoints : rule.from_port == 443 && rule.to_port == 443 && rule.ip_protocol == "tcp"])
    error_message = "HTTPS from the private subnets, and nothing else."
  }
}

run "parked_keeps_what_holds_data" {
  command = apply

  variables {
    parked              = true
    nat                 = "per-az"
    interface_endpoints = ["ecr.api", "ecr.dkr", "logs"]
  }

  assert {
    condition     = length(aws_nat_gateway.main) == 0 && length(aws_eip.nat) == 0 && length(aws_route.out) == 0
    error_message = "No NAT, no address kept for it, no route to it."
  }

  assert {
    condition     = length(aws_vpc_endpoint.interface) == 0
    error_message = "No interface endpoint."
  }

  assert {
    condition     = length(aws_eks_node_group.base) == 0 && length(aws_eks_node_group.spot) == 0 && length(aws_autoscaling_group_tag.node) == 0
    error_message = "No node."
  }

  assert {
    condition     = keys(aws_eks_addon.node) == ["kube-proxy", "vpc-cni"] && length(aws_eks_addon.cluster) == 0
    error_message = "Add-ons that wait for a node go with the last one."
  }

  assert {
    condition     = length(aws_s3_bucket.zone) == 7 && length(aws_kms_key.main) == 2 && length(aws_subnet.private) == 2 && aws_eks_cluster.main.name == "retail-demo-dev" && length(aws_sagemaker_feature_group.main) == 3
    error_message = "Buckets, keys, network, cluster and features stay."
  }

  assert {
    condition     = !aws_cloudwatch_metric_alarm.errors.actions_enabled && !aws_cloudwatch_metric_alarm.slow.actions_enabled && !aws_cloudwatch_metric_alarm.unplaced.actions_enabled
    error_message = "Nobody is woken by what sleeps."
  }
}
