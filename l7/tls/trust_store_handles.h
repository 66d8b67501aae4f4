// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "l7/tls/openssl_util.h"
#include "l7/tls/trust_store.h"

namespace sluice::l7::tls {

using CrlPtr = std::unique_ptr<X509_CRL, Freer<X509_CRL_free>>;

struct TrustStore::Handles {
  std::vector<X509Ptr> certificates;
  std::vector<CrlPtr> revocations;
};

using StorePtr = std::unique_ptr<X509_STORE, Freer<X509_STORE_free>>;

/// One a context, and so a worker: it has a lock. Null: no memory.
StorePtr make_store(const TrustStore& trust);

}  // namespace sluice::l7::tls
