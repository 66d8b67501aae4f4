// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "dataplane/base/result.h"

/// Small files, whole. Any thread; errors name the file.
namespace sluice::mgmt::store {

Result<std::string> read_file(const std::string& path);
/// Writes and renames, so that the file is old or new but never half; `mode` from the start. On the disk when it returns.
Status write_file(const std::string& path, std::string_view content, unsigned mode);
/// And what a write that was cut off has left beside it. Gone from the disk when it returns; there may be none.
Status remove_file(const std::string& path);

}  // namespace sluice::mgmt::store
