package console

import "html/template"

// icons are symbols on a field of 24 by 24, drawn in lines.
var icons = map[string]string{
	"overview": "M4 20V11M10 20V4M16 20v-6M21 20H3",
	"archive":  "M4 8v11h16V8M3 4h18v4H3zM10 12h4",
	"activity": "M3 12h4l3-8 4 16 3-8h4",
	"clock":    "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zM12 7v5l3.500 2",
	"hook":     "M4 12h11M11 7l5 5-5 5M20 5v14",
	"import":   "M12 3v12M7 10l5 5 5-5M4 20h16",
	"token":    "M14.5 9.5a4 4 0 1 1-1.6-3.2M13 10l8 8M18 15l2-2M15.500 18l2-2",
	"events":   "M6 3h12v18H6zM9 8h6M9 12h6M9 16h4",
	"key":      "M12 3l7 3v5c0 5-3 8-7 10-4-2-7-5-7-10V6zM9 12l2 2 4-4",
	"compare":  "M9 4v16M15 4v16M9 8H4M9 12H4M15 12h5M15 16h5",
	"plus":     "M12 5v14M5 12h14",
	"download": "M12 4v11M7 11l5 5 5-5M5 20h14",
	"copy":     "M9 9h11v11H9zM5 15H4V4h11v1",
	"check":    "M5 13l4 4L19 7",
	"cross":    "M6 6l12 12M18 6L6 18",
	"minus":    "M6 12h12",
	"warning":  "M12 4l9 16H3zM12 10v4M12 17v.5",
	"info":     "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zM12 11v5M12 8v.5",
	"arrow":    "M5 12h14M13 6l6 6-6 6",
	"back":     "M19 12H5M11 6l-6 6 6 6",
	"api":      "M8 8l-4 4 4 4M16 8l4 4-4 4M13.500 5l-3 14",
	"exit":     "M10 4H5v16h5M14 8l4 4-4 4M18 12H9",
	"seal":     "M12 3l2.300 1.700 2.900-.1.800 2.700 2.300 1.700-1 2.700 1 2.700-2.300 1.700-.8 2.700-2.900-.1L12 20.700l-2.300-1.700-2.900.1-.8-2.700-2.300-1.700 1-2.700-1-2.700 2.300-1.700.8-2.700 2.900.1zM9 12l2 2 4-4",
}

// icon draws a symbol, for decoration: what it means stands beside it.
func icon(name string) template.HTML {
	return template.HTML(`<svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false"><path d="` + icons[name] + `"/></svg>`)
}
