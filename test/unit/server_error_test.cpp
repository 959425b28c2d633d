#include "core/server_error.hpp"

#include <gtest/gtest.h>

namespace vigil {
namespace {

std::string packed(const ServerError& error) {
  std::string bytes(packed_size(error), '\0');
  bytes.resize(pack(error, bytes.data()));
  return bytes;
}

TEST(ServerError, IsReadAsItWasWritten) {
  ServerError error;
  error.at = 1'700'000'000'000'000;
  error.sqlstate = {'2', '3', '5', '0', '5'};
  error.handled = true;
  error.role = 10;
  error.query_id = 42;
  error.module[3] = 7;
  error[ErrorText::kMessage] = "duplicate key";
  error[ErrorText::kTags] = std::string_view("\0\1\2", 3);
  const std::string bytes = packed(error);
  ServerError read;
  ASSERT_TRUE(unpack(bytes, read));
  EXPECT_EQ(read.at, error.at);
  EXPECT_EQ(read.sqlstate, error.sqlstate);
  EXPECT_TRUE(read.handled);
  EXPECT_EQ(read.role, 10u);
  EXPECT_EQ(read.query_id, 42u);
  EXPECT_EQ(read.module, error.module);
  EXPECT_EQ(read.texts, error.texts);
}

TEST(ServerError, CutsTextsBetweenCharacters) {
  ServerError error;
  std::string message;
  for (int i = 0; i < 2000; ++i) message += "€";
  error[ErrorText::kMessage] = message;
  const std::string extra(100'000, 'x');
  error[ErrorText::kExtra] = extra;
  const std::string bytes = packed(error);
  ServerError read;
  ASSERT_TRUE(unpack(bytes, read));
  EXPECT_EQ(read[ErrorText::kMessage].size(), 4095u);
  EXPECT_EQ(read[ErrorText::kMessage], std::string_view(message).substr(0, 4095));
  EXPECT_EQ(read[ErrorText::kExtra], extra);
}

TEST(ServerError, RefusesWhatItDidNotWrite) {
  ServerError error;
  error[ErrorText::kMessage] = "message";
  const std::string bytes = packed(error);
  ServerError read;
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    const bool whole = size == bytes.size() - 7 - 5;  // without its only text
    EXPECT_EQ(unpack(std::string_view(bytes).substr(0, size), read), whole) << size;
  }
  std::string wrong = bytes;
  wrong[bytes.size() - 7 - 5] = '\x7f';
  EXPECT_FALSE(unpack(wrong, read));
}

std::string frames(std::string_view context) {
  std::pmr::string out;
  frames_of_context(context, out);
  return std::string(out);
}

TEST(ServerError, KeepsOnlyFramesOfAContext) {
  EXPECT_EQ(frames(""), "");
  EXPECT_EQ(frames("SQL statement \"INSERT INTO t VALUES ('secret',\n  'more')\"\n"
                   "PL/pgSQL function inner(text) line 3 at SQL statement\n"
                   "SQL statement \"SELECT inner('secret')\"\n"
                   "PL/pgSQL function outer() line 5 at PERFORM"),
            "PL/pgSQL function inner(text) line 3 at SQL statement\n"
            "PL/pgSQL function outer() line 5 at PERFORM");
  EXPECT_EQ(frames("COPY t, line 2, column a: \"secret\""), "");
  EXPECT_EQ(frames("JSON data, line 1: {\"secret\": ..."), "");
  EXPECT_EQ(frames("unnamed portal with parameters: $1 = 'secret'"), "");
  EXPECT_EQ(frames("SQL function \"f\" statement 1\n"
                   "compilation of PL/pgSQL function \"g\" near line 2\nPL/Python function \"h\""),
            "SQL function \"f\" statement 1\n"
            "compilation of PL/pgSQL function \"g\" near line 2\nPL/Python function \"h\"");
}

TEST(ConditionNames, AreReadFromErrcodes) {
  const ConditionNames names(
      "#\n# comment\n\nSection: Class 22 - Data Exception\n\n"
      "22000    E    ERRCODE_DATA_EXCEPTION                data_exception\n"
      "2202E    E    ERRCODE_ARRAY_ELEMENT_ERROR\n"
      "2202E    E    ERRCODE_ARRAY_SUBSCRIPT_ERROR         array_subscript_error\n"
      "00000    S    ERRCODE_SUCCESSFUL_COMPLETION         successful_completion\r\n"
      "22008 E ERRCODE_DATETIME_FIELD_OVERFLOW datetime_field_overflow\n"
      "22008 E ERRCODE_OTHER second_name",
      std::pmr::get_default_resource());
  EXPECT_EQ(names.find("22000"), "data_exception");
  EXPECT_EQ(names.find("2202E"), "array_subscript_error");
  EXPECT_EQ(names.find("00000"), "successful_completion");
  EXPECT_EQ(names.find("22008"), "datetime_field_overflow");
  EXPECT_EQ(names.find("ZZ999"), "ZZ999");
  EXPECT_EQ(names.find(""), "");
}

}  // namespace
}  // namespace vigil
