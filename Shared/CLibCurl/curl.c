#include "ballast_curl.h"
