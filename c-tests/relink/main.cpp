// The example's program as C++.
// SPDX-License-Identifier: Apache-2.0

#include "../../examples/relink/main.c"
