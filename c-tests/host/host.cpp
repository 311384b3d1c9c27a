// The host functions of a C++ application.
// SPDX-License-Identifier: Apache-2.0

#include "host.c"
