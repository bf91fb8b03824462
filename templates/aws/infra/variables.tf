# Everything that differs between two environments. retailops sets all of it from retail.yaml.

variable "project" {
  description = "Name of the project; with the environment it begins every name."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9]*(-[a-z0-9]+)*$", var.project)) && length(var.project) <= 32
    error_message = "project is lower-case letters, digits and single hyphens, at most 32 of them."
  }
}

variable "environment" {
  description = "Which copy of the project this is: dev, staging, prod."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9]*(-[a-z0-9]+)*$", var.environment)) && length(var.environment) <= 16
    error_message = "environment is lower-case letters, digits and single hyphens, at most 16 of them."
  }
}

variable "owner" {
  description = "Who answers for it; a tag on everything. Empty = no such tag."
  type        = string
  default     = ""
  nullable    = false
}

variable "expires" {
  description = "When it may be torn down by a scheduler, ISO 8601 in UTC; a tag on everything. Empty = never."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = var.expires == "" || can(timeadd(var.expires, "0s"))
    error_message = "expires is a moment like 2030-01-31T18:00:00Z, or empty."
  }
}

variable "region" {
  description = "Region of everything."
  type        = string
  default     = "ap-southeast-1"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-\\d$", var.region))
    error_message = "region is the code of one AWS region, like ap-southeast-1."
  }
}

variable "vpc_cidr" {
  description = "Addresses of the network, a /16 to /20."
  type        = string
  default     = "10.20.0.0/16"
  nullable    = false

  validation {
    condition     = try(tonumber(split("/", var.vpc_cidr)[1]) >= 16 && tonumber(split("/", var.vpc_cidr)[1]) <= 20 && can(cidrhost(var.vpc_cidr, 0)), false)
    error_message = "vpc_cidr is an IPv4 network between /16 and /20, like 10.20.0.0/16."
  }
}

variable "zones" {
  description = "Availability zones, 2 or 3."
  type        = number
  default     = 2
  nullable    = false

  validation {
    condition     = contains([2, 3], var.zones)
    error_message = "zones is 2 or 3: EKS wants two at least, and a fourth only adds cost."
  }
}

variable "nat" {
  description = "single = one NAT gateway; per-az = one in each zone, so that a zone's outage stays in that zone."
  type        = string
  default     = "single"
  nullable    = false

  validation {
    condition     = contains(["single", "per-az"], var.nat)
    error_message = "nat is single or per-az."
  }
}

variable "parked" {
  description = "True: no nodes, no NAT, no interface endpoints. What holds data or state stays."
  type        = bool
  default     = false
  nullable    = false
}

variable "interface_endpoints" {
  description = "Services reached through an interface endpoint of one's own, by suffix: ecr.api, ecr.dkr, logs."
  type        = set(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for service in var.interface_endpoints : can(regex("^[a-z0-9][a-z0-9.-]*$", service))])
    error_message = "interface_endpoints are service suffixes like ecr.api."
  }
}

variable "api_cidrs" {
  description = "Networks that may reach the cluster's public API endpoint; empty = private endpoint only."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for cidr in var.api_cidrs : can(cidrhost(cidr, 0)) && !endswith(cidr, "/0")])
    error_message = "api_cidrs are networks like 203.0.113.4/32, never the whole internet."
  }
}

variable "kubernetes_version" {
  description = "Kubernetes version of the cluster, one in EKS standard support."
  type        = string
  default     = "1.35"
  nullable    = false

  validation {
    condition     = can(regex("^1\\.\\d\\d$", var.kubernetes_version))
    error_message = "kubernetes_version is like 1.35."
  }
}

variable "node_types" {
  description = "Instance types of the nodes, x86-64 and of one size; on-demand nodes are of the first, spot of any."
  type        = list(string)
  default     = ["t3.medium", "t3a.medium"]
  nullable    = false

  validation {
    condition     = length(var.node_types) > 0
    error_message = "node_types names one instance type at least."
  }
}

variable "node_base" {
  description = "On-demand nodes that always run; 0 = none."
  type        = number
  default     = 1
  nullable    = false

  validation {
    condition     = var.node_base >= 0 && floor(var.node_base) == var.node_base
    error_message = "node_base is 0 or more."
  }
}

variable "node_spot_min" {
  description = "Spot nodes at least."
  type        = number
  default     = 1
  nullable    = false

  validation {
    condition     = var.node_spot_min >= 0 && floor(var.node_spot_min) == var.node_spot_min
    error_message = "node_spot_min is 0 or more."
  }
}

variable "node_spot_max" {
  description = "Spot nodes at most; 0 = no spot nodes at all."
  type        = number
  default     = 3
  nullable    = false

  validation {
    condition     = var.node_spot_max >= var.node_spot_min && var.node_base + var.node_spot_max > 0
    error_message = "node_spot_max is node_spot_min or more, and there must be a node of one kind or the other."
  }
}

variable "node_disk_gb" {
  description = "Disk of each node in GB."
  type        = number
  default     = 20
  nullable    = false

  validation {
    condition     = var.node_disk_gb >= 20
    error_message = "node_disk_gb is 20 or more: the system and its images need that."
  }
}

variable "alarm_email" {
  description = "Address that alarms and the budget write to; empty = the topic has no subscriber."
  type        = string
  default     = ""
  nullable    = false
}

variable "monthly_budget_usd" {
  description = "What a month may cost, in US dollars."
  type        = number
  default     = 250
  nullable    = false

  validation {
    condition     = var.monthly_budget_usd > 0
    error_message = "monthly_budget_usd is more than 0."
  }
}

variable "budget_by_tag" {
  description = "Count only what carries the project's tags. Needs the cost allocation tags activated in Billing first; until then such a budget reads zero."
  type        = bool
  default     = false
  nullable    = false
}

variable "log_days" {
  description = "Days that logs are kept, a value that CloudWatch Logs knows."
  type        = number
  default     = 14
  nullable    = false

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365], var.log_days)
    error_message = "log_days is one of 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365."
  }
}

variable "query_limit_gb" {
  description = "GB that one query may scan before it is ended."
  type        = number
  default     = 10
  nullable    = false

  validation {
    condition     = var.query_limit_gb >= 0.01
    error_message = "query_limit_gb is 0.01 or more; Athena takes no limit below 10 MB."
  }
}

variable "waf_arn" {
  description = "Web ACL (WAF) that the load-balancer controller may set before the API; empty = none."
  type        = string
  default     = ""
  nullable    = false
}

variable "max_p95_ms" {
  description = "95th percentile of a prediction's time in milliseconds that sets off the alarm."
  type        = number
  default     = 200
  nullable    = false
}

variable "max_error_rate" {
  description = "Share of requests that end in a server error, 0 to 1, that sets off the alarm."
  type        = number
  default     = 0.01
  nullable    = false
}

variable "buckets" {
  description = "Name of the bucket of each zone of the lake."
  type        = map(string)
  nullable    = false

  validation {
    condition     = toset(keys(var.buckets)) == toset(["raw", "silver", "gold", "models", "quarantine", "logs"])
    error_message = "buckets names raw, silver, gold, models, quarantine and logs."
  }

  validation {
    condition     = alltrue([for name in values(var.buckets) : can(regex("^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$", name))])
    error_message = "A bucket's name is 3 to 63 lower-case letters, digits and hyphens; choose a shorter project or environment."
  }
}

variable "s3_path_style" {
  description = "Address buckets by path; true only where AWS_ENDPOINT_URL leads to something that isn't AWS."
  type        = bool
  default     = false
  nullable    = false
}
