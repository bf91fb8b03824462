# Who may become what: roles of AWS's services, and roles of the cluster's pods (IRSA). What they may do: rights.tf.

locals {
  # role => the service that takes it; `guarded` ones are taken on behalf of this account alone
  service_roles = {
    cluster   = { service = "eks.amazonaws.com", guarded = false }
    nodes     = { service = "ec2.amazonaws.com", guarded = false }
    sagemaker = { service = "sagemaker.amazonaws.com", guarded = true }
    endpoint  = { service = "sagemaker.amazonaws.com", guarded = true } # the API, with deploy.engine: sagemaker
    events    = { service = "events.amazonaws.com", guarded = true }
  }

  # AWS's own policies, for what EKS itself must do
  service_policies = {
    "cluster AmazonEKSClusterPolicy"           = "cluster"
    "nodes AmazonEKSWorkerNodePolicy"          = "nodes"
    "nodes AmazonEC2ContainerRegistryPullOnly" = "nodes"
  }

  # role => the one service account that takes it, and services that take it too: ETL is the same work in a pod, in Glue
  # and on a machine of SageMaker
  pod_roles = {
    api                      = { account = "retailops:api", services = [] }
    etl                      = { account = "retailops:etl", services = ["glue.amazonaws.com", "sagemaker.amazonaws.com"] }
    load_balancer_controller = { account = "kube-system:aws-load-balancer-controller", services = [] }
    autoscaler               = { account = "kube-system:cluster-autoscaler", services = [] }
    cni                      = { account = "kube-system:aws-node", services = [] }
  }

  issuer = replace(aws_iam_openid_connect_provider.cluster.url, "https://", "")
}

resource "aws_iam_role" "service" {
  for_each = local.service_roles

  name        = "${local.prefix}-${each.key}"
  description = "What ${each.value.service} does for ${local.prefix}"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [merge(
      {
        Effect    = "Allow"
        Principal = { Service = each.value.service }
        Action    = "sts:AssumeRole"
      },
      each.value.guarded ? { Condition = { StringEquals = { "aws:SourceAccount" = local.account } } } : {},
    )]
  })
}

resource "aws_iam_role_policy_attachment" "service" {
  for_each = local.service_policies

  role       = aws_iam_role.service[each.value].name
  policy_arn = "arn:${local.partition}:iam::aws:policy/${split(" ", each.key)[1]}"
}

resource "aws_iam_role" "pod" {
  for_each = local.pod_roles

  name        = "${local.prefix}-${replace(each.key, "_", "-")}"
  description = "What the pods of ${each.value.account} may do"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [{
        Effect    = "Allow"
        Principal = { Federated = aws_iam_openid_connect_provider.cluster.arn }
        Action    = "sts:AssumeRoleWithWebIdentity"
        Condition = {
          StringEquals = {
            "${local.issuer}:aud" = "sts.amazonaws.com"
            "${local.issuer}:sub" = "system:serviceaccount:${each.value.account}"
          }
        }
      }],
      [for service in each.value.services : {
        Effect    = "Allow"
        Principal = { Service = service }
        Action    = "sts:AssumeRole"
      }],
    )
  })
}

# The network of pods: AWS's policy, on the pods that do it instead of on every node.
resource "aws_iam_role_policy_attachment" "cni" {
  role       = aws_iam_role.pod["cni"].name
  policy_arn = "arn:${local.partition}:iam::aws:policy/AmazonEKS_CNI_Policy"
}
