// SPDX-License-Identifier: Apache-2.0
#include "l7/route/expressions.h"

#include <cstdlib>
#include <utility>

namespace sluice::l7::route {
namespace {

unsigned flags_of(const Expression& e) {
  // One report an expression is enough. Expressions such as ".*" match the empty text. A path has no lines.
  return HS_FLAG_SINGLEMATCH | HS_FLAG_ALLOWEMPTY | HS_FLAG_DOTALL | (e.ignore_case ? HS_FLAG_CASELESS : 0u);
}

/// The group keeps an alternative from escaping the anchor.
std::string anchored(const Expression& e) { return "^(?:" + e.text + ")"; }

std::string take_message(hs_compile_error_t* error) {
  std::string out = error == nullptr || error->message == nullptr ? "does not compile" : error->message;
  hs_free_compile_error(error);
  return out;
}

}  // namespace

ExpressionSet::ExpressionSet(std::vector<Expression> list) : list_(std::move(list)), errors_(list_.size()) {
  for (std::size_t i = 0; i < list_.size(); ++i) check(i);
  while (!build()) {
  }
}

void ExpressionSet::check(std::size_t i) {
  const Expression& e = list_[i];
  if (e.text.size() > kMaxLength) {
    errors_[i] = "longer than " + std::to_string(kMaxLength) + " characters";
    return;
  }
  if (e.text.find('\0') != std::string::npos) {
    errors_[i] = "holds a NUL";
    return;
  }
  // Without the anchor's group, so that "a)(b" is not made valid by it, and positions in messages are the
  // user's own.
  hs_compile_error_t* error = nullptr;
  hs_expr_info_t* info = nullptr;
  if (hs_expression_info(e.text.c_str(), flags_of(e), &info, &error) != HS_SUCCESS)
    errors_[i] = take_message(error);
  std::free(info);
}

bool ExpressionSet::build() {
  std::vector<std::string> texts;
  std::vector<unsigned> flags, ids;
  for (std::size_t i = 0; i < list_.size(); ++i) {
    if (!errors_[i].empty()) continue;
    texts.push_back(anchored(list_[i]));
    flags.push_back(flags_of(list_[i]));
    ids.push_back(static_cast<unsigned>(i));
  }
  if (texts.empty()) return true;
  std::vector<const char*> pointers;
  for (const std::string& t : texts) pointers.push_back(t.c_str());

  hs_compile_error_t* error = nullptr;
  if (hs_compile_multi(pointers.data(), flags.data(), ids.data(), static_cast<unsigned>(pointers.size()),
                       HS_MODE_BLOCK, nullptr, &database_, &error) == HS_SUCCESS) {
    return true;
  }
  database_ = nullptr;
  const int blamed = error == nullptr ? -1 : error->expression;
  const std::string message = take_message(error);
  if (blamed >= 0 && static_cast<std::size_t>(blamed) < ids.size()) {
    errors_[ids[static_cast<std::size_t>(blamed)]] = message;
  } else {
    // The set as a whole is too much: none of it can be used.
    for (const unsigned id : ids) errors_[id] = message;
  }
  return false;
}

}  // namespace sluice::l7::route
