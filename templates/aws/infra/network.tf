# One network: private subnets for the nodes, public ones for load balancers and NAT.

data "aws_availability_zones" "usable" {
  #checkov:skip=CKV_AWS_394:Only the first two or three are taken, in the order of their names, so a new zone changes nothing

  state            = "available"
  exclude_zone_ids = ["use1-az3", "usw1-az2", "cac1-az3"] # EKS puts no control plane there

  filter {
    name   = "opt-in-status"
    values = ["opt-in-not-required"]
  }
}

locals {
  # zone name => 0, 1, 2
  zones = { for index, zone in slice(data.aws_availability_zones.usable.names, 0, var.zones) : zone => index }

  # Zones that have a NAT gateway. Parked, nothing is left that would need the way out.
  nat_zones = {
    for zone, index in local.zones : zone => index if !var.parked && (var.nat == "per-az" || index == 0)
  }

  # zone => zone of the NAT gateway it goes out through
  ways_out = {
    for zone, index in local.zones : zone => var.nat == "per-az" ? zone : keys(local.zones)[0] if !var.parked
  }
}

resource "aws_vpc" "main" {
  cidr_block           = var.vpc_cidr
  enable_dns_support   = true
  enable_dns_hostnames = true

  tags = { Name = local.prefix }
}

# The group that AWS makes with the network lets everything in it talk; nothing here is in it, so it is closed.
resource "aws_default_security_group" "closed" {
  vpc_id = aws_vpc.main.id

  tags = { Name = "${local.prefix}-default-closed" }
}

# Rejected packets only: they are what one looks for after the fact, and they cost cents.
resource "aws_flow_log" "rejected" {
  vpc_id                   = aws_vpc.main.id
  traffic_type             = "REJECT"
  log_destination_type     = "s3"
  log_destination          = aws_s3_bucket.zone["logs"].arn
  max_aggregation_interval = 600

  tags = { Name = "${local.prefix}-rejected" }

  depends_on = [aws_s3_bucket_policy.zone]
}

# Three eighths of the addresses at most, an eighth a zone: pods take theirs from here.
resource "aws_subnet" "private" {
  for_each = local.zones

  vpc_id            = aws_vpc.main.id
  availability_zone = each.key
  cidr_block        = cidrsubnet(var.vpc_cidr, 3, each.value)

  tags = {
    Name                                    = "${local.prefix}-private-${each.key}"
    "kubernetes.io/cluster/${local.prefix}" = "shared"
    "kubernetes.io/role/internal-elb"       = "1"
  }
}

# From the last quarter of the addresses, far from where the private ones may grow.
resource "aws_subnet" "public" {
  for_each = local.zones

  vpc_id                  = aws_vpc.main.id
  availability_zone       = each.key
  cidr_block              = cidrsubnet(var.vpc_cidr, 6, 48 + each.value)
  map_public_ip_on_launch = false # load balancers and NAT bring their own

  tags = {
    Name                                    = "${local.prefix}-public-${each.key}"
    "kubernetes.io/cluster/${local.prefix}" = "shared"
    "kubernetes.io/role/elb"                = "1"
  }
}

resource "aws_internet_gateway" "main" {
  vpc_id = aws_vpc.main.id

  tags = { Name = local.prefix }
}

# An address that nothing uses costs as much as one in use, so it goes with its gateway.
resource "aws_eip" "nat" {
  for_each = local.nat_zones

  domain = "vpc"

  tags = { Name = "${local.prefix}-nat-${each.key}" }

  depends_on = [aws_internet_gateway.main]
}

resource "aws_nat_gateway" "main" {
  for_each = local.nat_zones

  allocation_id = aws_eip.nat[each.key].id
  subnet_id     = aws_subnet.public[each.key].id

  tags = { Name = "${local.prefix}-${each.key}" }

  depends_on = [aws_internet_gateway.main]
}

resource "aws_route_table" "public" {
  vpc_id = aws_vpc.main.id

  tags = { Name = "${local.prefix}-public" }
}

resource "aws_route" "internet" {
  route_table_id         = aws_route_table.public.id
  destination_cidr_block = "0.0.0.0/0"
  gateway_id             = aws_internet_gateway.main.id
}

resource "aws_route_table_association" "public" {
  for_each = local.zones

  subnet_id      = aws_subnet.public[each.key].id
  route_table_id = aws_route_table.public.id
}

# One a zone even with a single NAT: going to per-az later changes a route, not a table.
resource "aws_route_table" "private" {
  for_each = local.zones

  vpc_id = aws_vpc.main.id

  tags = { Name = "${local.prefix}-private-${each.key}" }
}

resource "aws_route" "out" {
  for_each = local.ways_out

  route_table_id         = aws_route_table.private[each.key].id
  destination_cidr_block = "0.0.0.0/0"
  nat_gateway_id         = aws_nat_gateway.main[each.value].id
}

resource "aws_route_table_association" "private" {
  for_each = local.zones

  subnet_id      = aws_subnet.private[each.key].id
  route_table_id = aws_route_table.private[each.key].id
}
