# Values that would fail half an hour later at AWS are refused before anything happens.

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

run "refuses_project" {
  command = plan

  variables {
    project = "Retail_Demo"
  }

  expect_failures = [var.project]
}

run "refuses_environment" {
  command = plan

  variables {
    environment = "-dev"
  }

  expect_failures = [var.environment]
}

run "refuses_expires" {
  command = plan

  variables {
    expires = "tomorrow"
  }

  expect_failures = [var.expires]
}

run "refuses_region" {
  command = plan

  variables {
    region = "Singapore"
  }

  expect_failures = [var.region]
}

run "refuses_vpc_cidr" {
  command = plan

  variables {
    vpc_cidr = "10.0.0.0/24"
  }

  expect_failures = [var.vpc_cidr]
}

run "refuses_zones" {
  command = plan

  variables {
    zones = 4
  }

  expect_failures = [var.zones]
}

run "refuses_nat" {
  command = plan

  variables {
    nat = "both"
  }

  expect_failures = [var.nat]
}

run "refuses_api_cidrs" {
  command = plan

  variables {
    api_cidrs = ["0.0.0.0/0"]
  }

  expect_failures = [var.api_cidrs]
}

run "refuses_kubernetes_version" {
  command = plan

  variables {
    kubernetes_version = "latest"
  }

  expect_failures = [var.kubernetes_version]
}

run "refuses_node_types" {
  command = plan

  variables {
    node_types = []
  }

  expect_failures = [var.node_types]
}

run "refuses_node_base" {
  command = plan

  variables {
    node_base = -1
  }

  expect_failures = [var.node_base]
}

run "refuses_node_spot_min" {
  command = plan

  variables {
    node_spot_min = 1.5
  }

  expect_failures = [var.node_spot_min]
}

run "refuses_node_spot_max" {
  command = plan

  variables {
    node_spot_max = 0
  }

  expect_failures = [var.node_spot_max]
}

run "refuses_node_disk_gb" {
  command = plan

  variables {
    node_disk_gb = 8
  }

  expect_failures = [var.node_disk_gb]
}

run "refuses_monthly_budget_usd" {
  command = plan

  variables {
    monthly_budget_usd = 0
  }

  expect_failures = [var.monthly_budget_usd]
}

run "refuses_log_days" {
  command = plan

  variables {
    log_days = 15
  }

  expect_failures = [var.log_days]
}

run "refuses_query_limit_gb" {
  command = plan

  variables {
    query_limit_gb = 0
  }

  expect_failures = [var.query_limit_gb]
}

run "refuses_interface_endpoints" {
  command = plan

  variables {
    interface_endpoints = ["ECR"]
  }

  expect_failures = [var.interface_endpoints]
}

run "refuses_buckets" {
  command = plan

  variables {
    buckets = { raw = "only-one" }
  }

  expect_failures = [var.buckets]
}
