// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <charconv>
#include <cstring>

#include "l7/http1/body.h"

namespace sluice::l7::http1 {
namespace {

using SizeLine = std::array<char, 18>;

std::string_view size_line(std::uint64_t n, SizeLine& room) {
  char* end = std::to_chars(room.data(), room.data() + 16, n, 16).ptr;
  *end++ = '\r';
  *end++ = '\n';
  return {room.data(), static_cast<std::size_t>(end - room.data())};
}

}  // namespace

// In an order in which nothing has changed when an allocation fails.
bool encode_chunk(BufChain&& payload, BufChain& out, BufPool& pool) {
  if (payload.empty()) return true;  // would be the last chunk
  SizeLine room;
  const std::string_view line = size_line(payload.size(), room);
  Buf first = payload.pop_front();
  const bool in_headroom = first.exclusive() && first.headroom() >= line.size();
  BufChain whole(std::move(first));
  whole.append(std::move(payload));
  payload = std::move(whole);
  Buf size;
  if (!in_headroom && !(size = pool.alloc())) return false;
  if (!payload.append_copy("\r\n", pool)) return false;
  first = payload.pop_front();
  std::memcpy(in_headroom ? first.prepend(line.size()) : size.append(line.size()), line.data(), line.size());
  if (size) out.push_back(std::move(size));
  out.push_back(std::move(first));
  out.append(std::move(payload));
  return true;
}

bool encode_last_chunk(std::string_view trailers, BufChain& out, BufPool& pool) {
  if (trailers.empty()) return out.append_copy("0\r\n\r\n", pool);
  BufChain end;
  if (!end.append_copy("0\r\n", pool) || !end.append_copy(trailers, pool) || !end.append_copy("\r\n", pool)) {
    return false;
  }
  out.append(std::move(end));
  return true;
}

}  // namespace sluice::l7::http1
