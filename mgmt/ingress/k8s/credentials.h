// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "dataplane/base/result.h"
#include "mgmt/ingress/http_loop.h"

namespace sluice::mgmt::ingress {

/// The current context (or `context`) of a kubeconfig file: server, CA, proxy, token, client certificate, in the
/// file or beside it, or a program that shows them (exec). What it does not know is an error that names it: left
/// out, it could mean another server, or another user, than was said.
Result<Server> server_from_kubeconfig(const std::string& file, const std::string& context = {});

/// Of the pod that we run in: its service account's token and CA, both read again as they rotate.
Result<Server> server_in_cluster();

}  // namespace sluice::mgmt::ingress
