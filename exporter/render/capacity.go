package render

import "fmt"

// CapacityError reports a report that a format can't hold as it is. Nothing is
// cut to make it fit; the format that is named in Instead holds it whole.
type CapacityError struct {
	Format  string // the format's name: "xlsx"
	Problem string // what is too much, and how much would fit
	Instead string // the name of a format without that limit
}

// Error reads `xlsx can't hold the report: … ; use csv`.
func (e *CapacityError) Error() string {
	return fmt.Sprintf("%s can't hold the report: %s; use %s", e.Format, e.Problem, e.Instead)
}

// Code is the stable name of the error, for programs.
func (e *CapacityError) Code() string { return "FORMAT_CAPACITY" }
