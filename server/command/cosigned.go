package command

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/urfave/cli/v2"

	"licensekit/exporter/evidence/witness"
	"licensekit/server/client"
)

func (env *Env) logCosigned() *cli.Command {
	return &cli.Command{
		Name:      "cosigned",
		Usage:     "keep a checkpoint that witnesses have signed too, or list them",
		ArgsUsage: "FILE | --list",
		Description: "Witnesses make sure that the log only grows, and sign its checkpoints. Send them what\n" +
			"licensekit log consistency writes, and bring the checkpoint back with their signatures:\n\n" +
			"   licensekit log consistency --from 12 -o consistency.txt\n" +
			"   licensekit log cosigned --witness auditor.vkey cosigned.txt\n" +
			"   licensekit log cosigned --list\n" +
			"   licensekit export bundle --checkpoint cosigned rptx_…\n\n" +
			"--witness takes files of verifier keys, one a line (C2SP tlog-cosignature); those that\n" +
			"signed are remembered, and need not be named again. Signatures by others are left out.\n" +
			"Several witnesses may bring the same checkpoint back one by one.\n\n" +
			"Exit codes: 0 done, 1 failed, 2 usage.",
		Flags: targetFlags(
			&cli.StringSliceFlag{Name: "witness", Usage: "a `FILE` of witnesses' verifier keys; repeat it for more", EnvVars: []string{"LICENSEKIT_WITNESS"}},
			&cli.BoolFlag{Name: "list", Usage: "list what is kept, the newest first", EnvVars: []string{"LICENSEKIT_LIST"}},
			logName, jsonFlag),
		Action: func(c *cli.Context) error {
			if c.Bool("list") {
				if err := noArguments(c); err != nil {
					return err
				}
				return env.with(c, false, func(api *client.Client) error { return env.listCosigned(c, api) })
			}
			if c.String("log") != "" {
				return usage("a checkpoint names its log").hinted("--log is for --list")
			}
			file, err := oneArgument(c, "the checkpoint that was brought back")
			if err != nil {
				return err
			}
			checkpoint, err := readSmall(file)
			if err != nil {
				return err
			}
			witnesses, err := witnessesIn(c.StringSlice("witness"))
			if err != nil {
				return err
			}
			return env.with(c, false, func(api *client.Client) error {
				var kept cosigned
				in := map[string]any{"checkpoint": string(checkpoint), "witnesses": witnesses}
				if _, err := api.Call(c.Context, http.MethodPost, "/api/v1/log/cosigned", nil, in, &kept); err != nil {
					return err
				}
				return env.tellCosigned(c, kept)
			})
		},
	}
}

// witnessesIn reads files of verifier keys.
func witnessesIn(files []string) ([]string, error) {
	texts := []string{}
	for _, file := range files {
		text, err := readSmall(file)
		if err != nil {
			return nil, err
		}
		keys, err := witness.ParseKeys(text)
		if err != nil {
			return nil, failed(fmt.Errorf("%s: %w", file, err), "--witness takes a file of verifier keys, one a line, as licensekit log witness --init prints them")
		}
		for _, key := range keys {
			texts = append(texts, key.String())
		}
	}
	return texts, nil
}

// cosigned is what is kept of a checkpoint, as the API shows it.
type cosigned struct {
	Origin       string  `json:"origin"`
	Size         int64   `json:"size"`
	Root         *string `json:"root"`
	Cosignatures []struct {
		Witness string     `json:"witness"`
		Key     string     `json:"verifier_key"`
		At      *time.Time `json:"cosigned_at"`
	} `json:"cosignatures"`
	LeftOut []struct {
		Name    string `json:"name"`
		KeyHash string `json:"key_hash"`
	} `json:"left_out"`
	Contradicts bool `json:"contradicts_log,omitempty"`
	Error       *struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	} `json:"error,omitempty"` // for which it can't be read
}

// listCosigned shows what is kept, a row for each witness.
func (env *Env) listCosigned(c *cli.Context, api *client.Client) error {
	l, err := findLog(c, api)
	if err != nil {
		return err
	}
	t := env.table("ENTRIES", "WITNESS", "AT", "STATE")
	err = walkList(c, api, l.URL+"/cosignatures", url.Values{}, func(page []cosigned) error {
		if c.Bool("json") {
			return printLines(env, page)
		}
		for _, kept := range page {
			t.addCosigned(kept)
		}
		return nil
	})
	if err != nil || c.Bool("json") {
		return err
	}
	return t.print()
}

func (t *table) addCosigned(kept cosigned) {
	state := "continued"
	if kept.Contradicts {
		state = "contradicts the log"
	}
	size := strconv.FormatInt(kept.Size, 10)
	if kept.Error != nil {
		t.row(size, "", "", kept.Error.Message+" ("+kept.Error.Code+")")
	}
	for _, s := range kept.Cosignatures {
		t.row(size, s.Witness, at(s.At), state)
	}
	for _, s := range kept.LeftOut {
		t.row(size, s.Name+"+"+s.KeyHash+", which is not known", "", state)
	}
}

// at is a time of a witness, "" where it says none.
func at(t *time.Time) string {
	if t == nil {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

func (env *Env) tellCosigned(c *cli.Context, kept cosigned) error {
	for _, s := range kept.LeftOut {
		fmt.Fprintf(env.Stderr, "left out a signature of %s+%s, which no --witness names\n", s.Name, s.KeyHash)
	}
	if c.Bool("json") {
		return env.printJSON(kept)
	}
	fmt.Fprintf(env.Stdout, "checkpoint %d of %s is cosigned by\n", kept.Size, kept.Origin)
	t := env.table("WITNESS", "AT", "KEY")
	for _, s := range kept.Cosignatures {
		t.row(s.Witness, at(s.At), s.Key)
	}
	return t.print()
}
