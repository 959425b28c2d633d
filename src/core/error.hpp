// The one error of the core: what ends a statement. What a caller may expect is a return value.
#pragma once

#include <exception>
#include <string>
#include <utility>

namespace vigil {

// Each code has one SQLSTATE; src/pg/boundary.cpp holds the table.
enum class Code {
  kInvalidArgument,         // 22023: a parameter outside its range
  kInvalidText,             // 22P02: text that is no value of the type
  kInvalidBinary,           // 22P03: bytes that are no value of the type
  kNullValue,               // 22004: a required value is missing
  kNumericOutOfRange,       // 22003
  kTimestampOutOfRange,     // 22008
  kStringTooLong,           // 22001
  kInvalidJson,             // 22032
  kUntranslatable,          // 22P05: a character that text cannot hold
  kLimitExceeded,           // 54000: a documented limit of the extension
  kFeatureNotSupported,     // 0A000
  kOutOfMemory,             // 53200
  kInternal,                // XX000: cannot happen
};

class Error : public std::exception {
 public:
  Error(Code code, std::string message, std::string detail = {}, std::string hint = {})
      : code_(code),
        message_(std::move(message)),
        detail_(std::move(detail)),
        hint_(std::move(hint)) {}

  const char* what() const noexcept override { return message_.c_str(); }
  Code code() const noexcept { return code_; }
  const std::string& message() const noexcept { return message_; }
  const std::string& detail() const noexcept { return detail_; }
  const std::string& hint() const noexcept { return hint_; }

 private:
  Code code_;
  std::string message_;
  std::string detail_;
  std::string hint_;
};

}  // namespace vigil
