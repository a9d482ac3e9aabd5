package intake

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/xuri/excelize/v2"
)

// The first rows, and what would become of their columns, whatever the format.
func TestPreview(t *testing.T) {
	book := excelize.NewFile()
	book.SetSheetRow("Sheet1", "A1", &[]any{"id", "when", "note"})
	book.SetSheetRow("Sheet1", "A2", &[]any{"e1", "2026-01-01", 7})
	book.SetSheetRow("Sheet1", "A3", &[]any{"e2"})
	if _, err := book.NewSheet("Other"); err != nil {
		t.Fatal(err)
	}
	sheet, err := book.WriteToBuffer()
	if err != nil {
		t.Fatal(err)
	}
	mapped := []Mapping{{"occurred_at", "when"}}
	action := []Constant{{"action", "usage.consumed"}}
	for name, test := range map[string]struct {
		text    string
		options Options
		columns []PreviewColumn
		rows    [][]string
		problem string // code
	}{
		"csv": {"id,when,note\ne1,2026-01-01,x\ne2,,\ne3,,\ne4,,\n", Options{Format: CSV, Map: mapped, Set: action},
			[]PreviewColumn{{"id", []string{"id"}}, {"when", []string{"occurred_at"}}, {"note", nil}}, [][]string{{"e1", "2026-01-01", "x"}, {"e2", "", ""}, {"e3", "", ""}}, ""},
		"semicolons": {"id;when\ne1;2026-01-01\n", Options{Format: CSV, Delimiter: ';', Map: mapped, Set: action},
			[]PreviewColumn{{"id", []string{"id"}}, {"when", []string{"occurred_at"}}}, [][]string{{"e1", "2026-01-01"}}, ""},
		"xlsx": {sheet.String(), Options{Format: XLSX, Map: mapped, Set: action},
			[]PreviewColumn{{"id", []string{"id"}}, {"when", []string{"occurred_at"}}, {"note", nil}}, [][]string{{"e1", "2026-01-01", "7"}, {"e2", "", ""}}, ""},
		"ndjson": {"{\"id\":\"e1\",\"when\":null}\n{\"id\":\"e2\",\"amount\":3}\n", Options{Format: NDJSON, Map: mapped, Set: action},
			[]PreviewColumn{{"id", []string{"id"}}, {"when", []string{"occurred_at"}}, {"amount", []string{"amount"}}}, [][]string{{"e1", "", ""}, {"e2", "", "3"}}, ""},
		"json": {`[{"id":"e1","occurred_at":"x","action":"a","metadata":{"a":1}}]`, Options{Format: JSON},
			[]PreviewColumn{{"id", []string{"id"}}, {"occurred_at", []string{"occurred_at"}}, {"action", []string{"action"}}, {"metadata", []string{"metadata"}}}, [][]string{{"e1", "x", "a", `{"a":1}`}}, ""},
		"unknown column": {"id,color\ne1,red\n", Options{Format: CSV}, []PreviewColumn{{"id", []string{"id"}}, {"color", nil}}, [][]string{{"e1", "red"}}, CodeUnknownField},
		"missing field":  {"id,when\ne1,x\n", Options{Format: CSV, Map: mapped}, []PreviewColumn{{"id", []string{"id"}}, {"when", []string{"occurred_at"}}}, [][]string{{"e1", "x"}}, CodeMissingField},
		"bad mapping":    {"id\ne1\n", Options{Format: CSV, Map: []Mapping{{"color", "id"}}}, []PreviewColumn{{"id", nil}}, [][]string{{"e1"}}, CodeUnknownField},
		"empty":          {"", Options{Format: CSV}, nil, nil, CodeEmptyFile},
		"no workbook":    {"id\n", Options{Format: XLSX}, nil, nil, CodeMalformedFile},
		"no such sheet":  {sheet.String(), Options{Format: XLSX, Sheet: "Third"}, nil, nil, CodeInvalidOption},
		"no json":        {"id,x\n", Options{Format: JSON}, nil, nil, CodeMalformedFile},
		"no objects":     {"[1,2]", Options{Format: JSON}, nil, nil, CodeMalformedFile},
	} {
		test.options.Object, test.options.Tmp = Activities, t.TempDir()
		v, err := ReadPreview(t.Context(), strings.NewReader(test.text), test.options, 3)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		problem := ""
		if v.Problem != nil {
			problem = v.Problem.Code
		}
		if !reflect.DeepEqual(v.Columns, test.columns) || !reflect.DeepEqual(v.Rows, test.rows) || problem != test.problem {
			t.Errorf("%s: columns %v, rows %q, problem %v\nwant %v, %q, %s", name, v.Columns, v.Rows, v.Problem, test.columns, test.rows, test.problem)
		}
		if test.options.Format == XLSX && len(test.columns)+len(test.options.Sheet) > 0 && !reflect.DeepEqual(v.Sheets, []string{"Sheet1", "Other"}) {
			t.Errorf("%s: sheets %q", name, v.Sheets)
		}
		for _, f := range v.Fields {
			if f.Name == "action" && (!f.Required || f.Given != (len(test.options.Set) > 0 || name == "json")) {
				t.Errorf("%s: field %+v", name, f)
			}
		}
	}
	var unknown *FileError
	if _, err := ReadPreview(t.Context(), strings.NewReader(""), Options{Object: "colors", Format: CSV}, 3); !errors.As(err, &unknown) {
		t.Errorf("of an unknown object: %v, want a *FileError", err)
	}
}
