# What the load-balancer controller may do: what it made for this cluster, known by its tag, and nothing else.
# Web firewalls, Cognito and Shield are asked about, because the controller asks; it can attach the firewall that is named.

locals {
  elb_arn     = "arn:${local.partition}:elasticloadbalancing:${var.region}:${local.account}"
  ec2_arn     = "arn:${local.partition}:ec2:${var.region}:${local.account}"
  balancer_id = "elbv2.k8s.aws/cluster"

  balancer_made    = { StringEquals = { "aws:ResourceTag/${local.balancer_id}" = local.prefix } }
  balancer_making  = { StringEquals = { "aws:RequestTag/${local.balancer_id}" = local.prefix } }
  balancer_targets = ["${local.elb_arn}:targetgroup/*"]
  balancer_rules   = ["${local.elb_arn}:listener/*", "${local.elb_arn}:listener-rule/*"]
  balancers        = ["${local.elb_arn}:loadbalancer/app/*", "${local.elb_arn}:loadbalancer/net/*"]

  # The one firewall that retail.yaml names, to be set before balancers of this cluster.
  balancer_firewall = [for statement in [
    {
      Action    = ["wafv2:AssociateWebACL", "wafv2:DisassociateWebACL", "wafv2:GetWebACL"]
      Resource  = concat([var.waf_arn], local.balancers)
      Condition = {}
    },
    {
      Action    = ["elasticloadbalancing:SetWebAcl"]
      Resource  = local.balancers
      Condition = local.balancer_made
    },
  ] : { for key, value in statement : key => value if length(value) > 0 } if var.waf_arn != ""]

  balancer_statements = [
    {
      Action    = ["iam:CreateServiceLinkedRole"]
      Resource  = ["arn:${local.partition}:iam::${local.account}:role/aws-service-role/elasticloadbalancing.amazonaws.com/*"]
      Condition = { StringEquals = { "iam:AWSServiceName" = "elasticloadbalancing.amazonaws.com" } }
    },
    { # looking; AWS narrows none of these
      Action = [
        "acm:DescribeCertificate", "acm:ListCertificates",
        "ec2:DescribeAccountAttributes", "ec2:DescribeAddresses", "ec2:DescribeAvailabilityZones",
        "ec2:DescribeCoipPools", "ec2:DescribeInstances", "ec2:DescribeInternetGateways", "ec2:DescribeIpamPools",
        "ec2:DescribeNetworkInterfaces", "ec2:DescribeRouteTables", "ec2:DescribeSecurityGroups",
        "ec2:DescribeSubnets", "ec2:DescribeTags", "ec2:DescribeVpcPeeringConnections", "ec2:DescribeVpcs",
        "ec2:GetCoipPoolUsage", "ec2:GetSecurityGroupsForVpc",
        "elasticloadbalancing:DescribeCapacityReservation", "elasticloadbalancing:DescribeListenerAttributes",
        "elasticloadbalancing:DescribeListenerCertificates", "elasticloadbalancing:DescribeListeners",
        "elasticloadbalancing:DescribeLoadBalancerAttributes", "elasticloadbalancing:DescribeLoadBalancers",
        "elasticloadbalancing:DescribeRules", "elasticloadbalancing:DescribeSSLPolicies",
        "elasticloadbalancing:DescribeTags", "elasticloadbalancing:DescribeTargetGroupAttributes",
        "elasticloadbalancing:DescribeTargetGroups", "elasticloadbalancing:DescribeTargetHealth",
        "elasticloadbalancing:DescribeTrustStores",
        "shield:GetSubscriptionState", "waf-regional:GetWebACLForResource", "wafv2:GetWebACLForResource",
      ]
      Resource = ["*"]
    },
    {
      Action    = ["ec2:CreateSecurityGroup"]
      Resource  = ["${local.ec2_arn}:security-group/*"]
      Condition = local.balancer_making
    },
    {
      Action   = ["ec2:CreateSecurityGroup"]
      Resource = [aws_vpc.main.arn]
    },
    { # tags at birth only, or others would become its own
      Action   = ["ec2:CreateTags"]
      Resource = ["${local.ec2_arn}:security-group/*"]
      Condition = {
        StringEquals = merge(local.balancer_making.StringEquals, { "ec2:CreateAction" = "CreateSecurityGroup" })
      }
    },
    {
      Action    = ["ec2:CreateTags", "ec2:DeleteTags"]
      Resource  = ["${local.ec2_arn}:security-group/*"]
      Condition = merge(local.balancer_made, { Null = { "aws:RequestTag/${local.balancer_id}" = "true" } })
    },
    {
      Action    = ["ec2:AuthorizeSecurityGroupIngress", "ec2:DeleteSecurityGroup", "ec2:RevokeSecurityGroupIngress"]
      Resource  = ["${local.ec2_arn}:security-group/*"]
      Condition = local.balancer_made
    },
    { # lets the balancer's traffic into the group that EKS made for the nodes
      Action    = ["ec2:AuthorizeSecurityGroupIngress", "ec2:RevokeSecurityGroupIngress"]
      Resource  = ["${local.ec2_arn}:security-group/*"]
      Condition = { StringEquals = { "aws:ResourceTag/kubernetes.io/cluster/${local.prefix}" = "owned" } }
    },
    {
      Action    = ["elasticloadbalancing:CreateLoadBalancer", "elasticloadbalancing:CreateTargetGroup"]
      Resource  = concat(local.balancers, local.balancer_targets)
      Condition = local.balancer_making
    },
    {
      Action   = ["elasticloadbalancing:AddTags"]
      Resource = concat(local.balancers, local.balancer_targets)
      Condition = {
        StringEquals = merge(local.balancer_making.StringEquals, {
          "elasticloadbalancing:CreateAction" = ["CreateLoadBalancer", "CreateTargetGroup"]
        })
      }
    },
    {
      Action    = ["elasticloadbalancing:AddTags", "elasticloadbalancing:RemoveTags"]
      Resource  = concat(local.balancers, local.balancer_targets)
      Condition = merge(local.balancer_made, { Null = { "aws:RequestTag/${local.balancer_id}" = "true" } })
    },
    { # listeners and rules are born on a balancer of its own
      Action    = ["elasticloadbalancing:AddTags", "elasticloadbalancing:RemoveTags"]
      Resource  = local.balancer_rules
      Condition = { StringEqualsIfExists = local.balancer_made.StringEquals }
    },
    {
      Action = [
        "elasticloadbalancing:AddListenerCertificates", "elasticloadbalancing:CreateListener",
        "elasticloadbalancing:CreateRule", "elasticloadbalancing:DeleteListener",
        "elasticloadbalancing:DeleteLoadBalancer", "elasticloadbalancing:DeleteRule",
        "elasticloadbalancing:DeleteTargetGroup", "elasticloadbalancing:DeregisterTargets",
        "elasticloadbalancing:ModifyCapacityReservation", "elasticloadbalancing:ModifyListener",
        "elasticloadbalancing:ModifyListenerAttributes", "elasticloadbalancing:ModifyLoadBalancerAttributes",
        "elasticloadbalancing:ModifyRule", "elasticloadbalancing:ModifyTargetGroup",
        "elasticloadbalancing:ModifyTargetGroupAttributes", "elasticloadbalancing:RegisterTargets",
        "elasticloadbalancing:RemoveListenerCertificates", "elasticloadbalancing:SetIpAddressType",
        "elasticloadbalancing:SetRulePriorities", "elasticloadbalancing:SetSecurityGroups",
        "elasticloadbalancing:SetSubnets",
      ]
      Resource  = concat(local.balancers, local.balancer_targets, local.balancer_rules)
      Condition = local.balancer_made
    },
  ]
}

resource "aws_iam_role_policy" "balancer" {
  name = "balance"
  role = aws_iam_role.pod["load_balancer_controller"].id
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [for statement in concat(local.balancer_statements, local.balancer_firewall) : merge({ Effect = "Allow" }, statement)]
  })
}
