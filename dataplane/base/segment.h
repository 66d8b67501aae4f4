// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "dataplane/base/buf.h"

/// What Buf says of a segment, of one that stays in a chain. Its length must not be changed through these.
namespace sluice::segment {

inline bool exclusive(const rte_mbuf* m) { return RTE_MBUF_DIRECT(m) && rte_mbuf_refcnt_read(m) == 1; }
inline std::size_t headroom(const rte_mbuf* m) { return rte_pktmbuf_headroom(m); }
inline std::size_t tailroom(const rte_mbuf* m) { return rte_pktmbuf_tailroom(m); }
/// To be written only when it is exclusive.
inline std::span<std::uint8_t> writable(rte_mbuf* m) { return {rte_pktmbuf_mtod(m, std::uint8_t*), m->data_len}; }
inline rte_mbuf* next(rte_mbuf* m) { return m->next; }

}  // namespace sluice::segment
