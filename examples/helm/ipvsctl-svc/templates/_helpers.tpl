{{- define "ipvsctl-svc.labels" -}}
{app.kubernetes.io/name: {{ .Values.name }}}
{{- end }}

{{- define "ipvsctl-svc.image" -}}
{{ .Values.image.repository }}
{{- if .Values.image.digest }}@{{ .Values.image.digest }}{{ else }}:{{ .Values.image.tag | default .Chart.AppVersion }}{{ end }}
{{- end }}

{{- define "ipvsctl-svc.config" -}}
{{- $client := dict "kubeconfig" "/etc/ipvsctl-svc/kubeconfig.yaml" -}}
{{- $file := dict "apiVersion" "kubeproxy.config.k8s.io/v1alpha1" "kind" "KubeProxyConfiguration" "clientConnection" $client -}}
{{ mergeOverwrite (dict) (deepCopy .Values.config) $file | toYaml }}
{{- end }}
