// SPDX-License-Identifier: GPL-2.0-or-later

// helm_template CHART NAMESPACE [VALUES-FILE...]
//
// Renders a chart as `helm template` does, with the template engine and the function library that
// Helm is made of. Of Helm's own functions it has those that the chart uses: include, fromYaml, toYaml, and .Files.Get.
package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"text/template"

	"github.com/Masterminds/sprig"
	"github.com/ghodss/yaml"
)

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "helm_template:", err)
		os.Exit(1)
	}
}

func readMap(path string) map[string]interface{} {
	text, err := os.ReadFile(path)
	must(err)
	m := map[string]interface{}{}
	must(yaml.Unmarshal(text, &m))
	return m
}

// merge overlays values as Helm does: maps are merged, everything else is replaced, null removes.
func merge(into, from map[string]interface{}) {
	for key, value := range from {
		below, isMap := value.(map[string]interface{})
		old, wasMap := into[key].(map[string]interface{})
		switch {
		case value == nil:
			delete(into, key)
		case isMap && wasMap:
			merge(old, below)
		default:
			into[key] = value
		}
	}
}

// files is .Files of a template.
type files string

func (dir files) Get(name string) (string, error) {
	text, err := os.ReadFile(filepath.Join(string(dir), name))
	return string(text), err
}

func main() {
	dir := os.Args[1]
	values := readMap(filepath.Join(dir, "values.yaml"))
	for _, path := range os.Args[3:] {
		merge(values, readMap(path))
	}
	chart := map[string]interface{}{}
	for key, value := range readMap(filepath.Join(dir, "Chart.yaml")) {
		chart[strings.ToUpper(key[:1])+key[1:]] = value
	}
	top := map[string]interface{}{
		"Values":  values,
		"Chart":   chart,
		"Files":   files(dir),
		"Release": map[string]interface{}{"Name": "ipvsctl-svc", "Namespace": os.Args[2]},
	}

	templates := template.New("chart").Option("missingkey=zero").Funcs(sprig.TxtFuncMap())
	templates.Funcs(template.FuncMap{
		"include": func(name string, data interface{}) (string, error) {
			var out bytes.Buffer
			err := templates.ExecuteTemplate(&out, name, data)
			return out.String(), err
		},
		"fromYaml": func(text string) (m map[string]interface{}, err error) {
			err = yaml.Unmarshal([]byte(text), &m)
			return m, err
		},
		"toYaml": func(v interface{}) (string, error) {
			text, err := yaml.Marshal(v)
			return strings.TrimSuffix(string(text), "\n"), err
		},
	})
	paths, err := filepath.Glob(filepath.Join(dir, "templates", "*"))
	must(err)
	for _, path := range paths {
		text, err := os.ReadFile(path)
		must(err)
		_, err = templates.New(filepath.Base(path)).Parse(string(text))
		must(err)
	}
	for _, path := range paths {
		name := filepath.Base(path)
		if strings.HasPrefix(name, "_") {
			continue
		}
		var out bytes.Buffer
		must(templates.ExecuteTemplate(&out, name, top))
		if strings.HasSuffix(name, ".txt") {
			fmt.Fprint(os.Stderr, out.String())
			continue
		}
		fmt.Printf("---\n%s\n", out.String())
	}
}
