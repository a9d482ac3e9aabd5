package report

import "math/rand/v2"

// RandomSource gives tests outside of the package a source with activities and
// records.
func RandomSource(random *rand.Rand, start int64) Source { return randomStocked(random, start) }
