// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "dataplane/base/buf.h"

namespace sluice::test {

/// Starts the EAL once, without hugepages, PCI devices or root, and gives buffers. For tests and fuzz targets.
void start_eal(const char* program);

/// The process's buffer pool: 8191 data buffers, 16383 references. start_eal() has run.
BufPool& buffers();

/// Data buffers and references not in use now; a test that leaks changes it.
std::size_t free_buffers();

/// A segment holding `text`, of at most about 2 KB.
Buf buf_of(std::string_view text);

/// A chain of segments of at most `segment` bytes each.
BufChain chain_of(std::string_view text, std::size_t segment = 1400);

}  // namespace sluice::test
